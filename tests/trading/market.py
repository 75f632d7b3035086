"""Made-up bars in files, and recipes over them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MODEL = "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1"
PIPELINE = "urn:alphaswarm:pipeline:prod:alpaca_mean_reversion_loop"
SYMBOLS = ("SPY", "BAC")


def write_bars(path: Path, minutes: int = 600, seed: int = 1) -> Path:
    """A CSV of random-walk minute bars of two symbols, with some minutes missing, prices in cents."""
    made = random.Random(seed)
    closes = {"SPY": 16_700, "BAC": 1_400}
    start = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)
    lines = ["timestamp,symbol,open,high,low,close,volume"]
    for minute in range(minutes):
        stamp = (start + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
        for symbol in SYMBOLS:
            opened = closes[symbol] + made.randint(-2, 2)
            closed = max(100, opened + made.randint(-12, 12))
            closes[symbol] = closed
            if made.random() < 0.05:
                continue
            high, low = max(opened, closed) + made.randint(0, 5), min(opened, closed) - made.randint(0, 5)
            prices = ",".join(f"{cents / 100:.2f}" for cents in (opened, high, low, closed))
            lines.append(f"{stamp},{symbol},{prices},{made.randint(100, 9000)}")
    path.write_text("\n".join(lines) + "\n")
    return path


def recipe(feed: dict[str, Any], strategy: str = "SmaCrossStrategy", **kwargs: Any) -> dict[str, Any]:
    """A recipe on the simulated venue with a seeded pair of URNs."""
    settings: dict[str, Any] = {"fast": 5, "slow": 20, "quantity": 10} if strategy == "SmaCrossStrategy" else {}
    return {
        "name": kwargs.pop("name", "end_to_end"),
        "universe": list(SYMBOLS),
        "strategy": {"class": strategy, "kwargs": kwargs.pop("strategy_kwargs", settings)},
        "feed": feed,
        "brokerage": {"class": "SimulatedBrokerage", "kwargs": {"starting_cash": 100_000}},
        "risk": kwargs.pop("risk", {}),
        "session": {"model_urn": MODEL, "pipeline_urn": PIPELINE, **kwargs},
    }


def replay(path: Path, speed: str = "max") -> dict[str, Any]:
    return {"class": "ReplayFeed", "kwargs": {"path": str(path), "speed": speed}}


def synthetic(pace: str = "1x", seed: int = 7) -> dict[str, Any]:
    return {"class": "SyntheticFeed", "kwargs": {"seed": seed, "timeframe": "1Sec", "pace": pace}}


def ladder(levels: int = 5, **options: Any) -> dict[str, Any]:
    """A session that rests orders far below the market and waits."""
    settings = {"levels": levels, "step_bps": 300, "quantity": 1}
    return recipe(synthetic(), "LimitLadderStrategy", strategy_kwargs=settings, **options)
