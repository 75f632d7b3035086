"""Tradier's minute bars, by its time-and-sales call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import requests

from brokers.pacing import RateLimit
from brokers.tradier.adapter import LIVE_URL, SANDBOX_URL
from trading.engine.bars import NANOS_PER_SECOND, Bar, to_nanos
from trading.engine.errors import Fatal, Transient
from trading.engine.symbols import Symbol

log = logging.getLogger(__name__)

_ZONE: Final = ZoneInfo("America/New_York")
_STALE_SECONDS: Final = 30.0


class TradierBars:
    """Asks for the bars since the last one every ``poll_seconds`` and sends those whose minute is over."""

    step = 60 * NANOS_PER_SECOND

    def __init__(self, token: str, base_url: str = "", paper: bool = True, poll_seconds: float = 5.0) -> None:
        self._token = token
        self._url = (base_url or (SANDBOX_URL if paper else LIVE_URL)).rstrip("/")
        self._poll_seconds = poll_seconds
        self._limit = RateLimit(60, 60.0)
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

    def _ask(self) -> None:
        for symbol in self._last:
            for row in self._rows(symbol):
                self._give(symbol, row)
        self._heard_at = time.monotonic()

    def _rows(self, symbol: str) -> list[dict[str, Any]]:
        self._limit.wait()
        since = datetime.fromtimestamp(self._last[symbol] / NANOS_PER_SECOND, UTC) + timedelta(minutes=1)
        query = {
            "symbol": Symbol.parse(symbol).ticker,
            "interval": "1min",
            "start": since.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M"),
            "session_filter": "all",
        }
        try:
            answer = self._session.get(f"{self._url}/markets/timesales", params=query, timeout=(3.0, 10.0))
            if answer.status_code in (401, 403):
                raise Fatal("tradier does not accept the token. Set ALPHASWARM_TRADIER_TOKEN.")
            answer.raise_for_status()
            self._limit.hear(answer.headers)
            series = answer.json()["series"]
            rows = series["data"] if series else []
        except (requests.RequestException, ValueError, LookupError, TypeError) as error:
            raise Transient(f"tradier gave no bars of {symbol}: {error}") from error
        return rows if isinstance(rows, list) else [rows]

    def _give(self, symbol: str, row: dict[str, Any]) -> None:
        """Send a bar, unless its minute is not over yet; times are those of New York."""
        start = to_nanos(datetime.fromisoformat(row["time"]).replace(tzinfo=_ZONE))
        if start <= self._last[symbol] or start + self.step > to_nanos(datetime.now(UTC)):
            return
        self._last[symbol] = start
        self._take(Bar(symbol, start, *(float(row[name]) for name in ("open", "high", "low", "close", "volume"))))
