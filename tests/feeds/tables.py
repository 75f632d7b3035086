"""Small files of bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trading.feeds import ReplayFeed

HEADER = "timestamp,symbol,open,high,low,close,volume"
START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def stamp(minute: int) -> str:
    return (START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


def row(minute: int = 0, symbol: str = "SPY", figures: str = "10.5,11.25,10,11,100") -> str:
    return f"{stamp(minute)},{symbol},{figures}"


def write(path: Path, rows: Iterable[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def prepared(path: Path, universe: Sequence[str] = ("SPY",), speed: str = "max") -> ReplayFeed:
    feed = ReplayFeed(universe=universe, path=str(path), speed=speed)
    feed.prepare()
    return feed
