"""Tradier's minute bars, by its time-and-sales call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import requests

from brokers.pacing import RateLimit, shared
from brokers.tradier.adapter import LIVE_URL, SANDBOX_URL
from trading.engine.bars import NANOS_PER_SECOND, Bar, Timeframe, to_nanos
from trading.engine.errors import Fatal, Transient
from trading.engine.symbols import Symbol

log = logging.getLogger(__name__)

_ZONE: Final = ZoneInfo("America/New_York")
_STALE_SECONDS: Final = 30.0
#: Where bars are asked for: the call, the table and its rows in the answer, and how the call spells a time.
_TIMES: Final = ("timesales", "series", "data", "%Y-%m-%d %H:%M")
_DAYS: Final = ("history", "history", "day", "%Y-%m-%d")
#: What a timeframe is made of there.
_PARTS: Final = {Timeframe.MINUTE: "1min", Timeframe.FIVE_MINUTES: "5min", Timeframe.HOUR: "15min"}


class TradierBars:
    """Asks for the bars since the last one every ``poll_seconds`` and sends those whose minute is over."""

    step = 60 * NANOS_PER_SECOND

    def __init__(self, token: str, base_url: str = "", paper: bool = True, poll_seconds: float = 5.0) -> None:
        self._token = token
        self._url = (base_url or (SANDBOX_URL if paper else LIVE_URL)).rstrip("/")
        self._poll_seconds = poll_seconds
        self._limit = shared(("tradier bars", self._url, token), RateLimit(60 if paper else 120, 60.0))
        self._last: dict[str, int] = {}
        self._take: Callable[[Bar], None] = lambda bar: None
        self._heard_at = 0.0
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._session = requests.Session()
        self._session.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/json"})

    @property
    def healthy(self) -> bool:
        return time.monotonic() - self._heard_at < _STALE_SECONDS

    @property
    def halted(self) -> dict[str, str]:
        """The venue does not tell."""
        return {}

    def start(self, symbols: Sequence[str], take: Callable[[Bar], None]) -> None:
        if not self._token:
            raise Fatal("tradier: no credentials. Set ALPHASWARM_TRADIER_TOKEN.")
        begin = to_nanos(datetime.now(UTC)) - 2 * self.step
        self._take, self._last = take, dict.fromkeys(symbols, begin)
        self._ask()
        self._thread = threading.Thread(target=self._work, name="tradier bars", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(15)
        self._session.close()

    def _work(self) -> None:
        while not self._closing.wait(self._poll_seconds):
            try:
                self._ask()
            except Transient as error:
                log.warning("tradier does not tell its bars: %s", error)
            except Exception:
                # Without this thread no bar would come any more; its silence counts as a feed that is lost.
                log.exception("what tradier tells of its bars could not be taken")

    def _ask(self) -> None:
        for symbol in self._last:
            for row in self._rows(symbol):
                self._give(symbol, row)
        self._heard_at = time.monotonic()

    def history(self, symbol: str, timeframe: Timeframe, since: int) -> list[Bar]:
        try:
            if timeframe is Timeframe.DAY:
                rows = self._asked(symbol, _DAYS, "daily", since)
                return [_bar(symbol, row["date"], UTC, row) for row in rows]
            rows = self._asked(symbol, _TIMES, _PARTS[timeframe], since)
            return [_bar(symbol, row["time"], _ZONE, row) for row in rows]
        except (LookupError, ValueError, TypeError) as error:
            raise Transient(f"tradier gave past bars of {symbol} that cannot be read: {error!r}") from error

    def _rows(self, symbol: str) -> list[dict[str, Any]]:
        return self._asked(symbol, _TIMES, "1min", self._last[symbol] + self.step)

    def _asked(self, symbol: str, where: tuple[str, str, str, str], interval: str, since: int) -> list[dict[str, Any]]:
        """The rows of a call since then (ns); raises `Transient`."""
        call, table, rows_of, spelled = where
        self._limit.wait()
        query = {
            "symbol": Symbol.parse(symbol).ticker,
            "interval": interval,
            "start": datetime.fromtimestamp(since / NANOS_PER_SECOND, _ZONE).strftime(spelled),
            "session_filter": "all",
        }
        try:
            answer = self._session.get(f"{self._url}/markets/{call}", params=query, timeout=(3.0, 10.0))
            if answer.status_code in (401, 403):
                raise Fatal("tradier does not accept the token. Set ALPHASWARM_TRADIER_TOKEN.")
            answer.raise_for_status()
            self._limit.hear(answer.headers)
            found = answer.json()[table]
            rows = found[rows_of] if found else []
        except (requests.RequestException, ValueError, LookupError, TypeError) as error:
            raise Transient(f"tradier gave no bars of {symbol}: {error}") from error
        return rows if isinstance(rows, list) else [rows]

    def _give(self, symbol: str, row: dict[str, Any]) -> None:
        """Send a bar, unless its minute is not over yet; times are those of New York."""
        bar = _bar(symbol, row["time"], _ZONE, row)
        if bar.time <= self._last[symbol] or bar.time + self.step > to_nanos(datetime.now(UTC)):
            return
        self._last[symbol] = bar.time
        self._take(bar)


def _bar(symbol: str, start: str, zone: tzinfo, row: dict[str, Any]) -> Bar:
    time = to_nanos(datetime.fromisoformat(start).replace(tzinfo=zone))
    return Bar(symbol, time, *(float(row[name]) for name in ("open", "high", "low", "close", "volume")))
