"""Alpaca's minute bars: the data socket in a thread of its own, and REST for what a lost connection has missed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests

from brokers.alpaca.terms import HINT, TIMEOUT
from brokers.reading import moment
from trading.engine.bars import NANOS_PER_SECOND, Bar, Timeframe, to_nanos
from trading.engine.errors import Fatal, Transient
from trading.engine.symbols import Symbol

if TYPE_CHECKING:
    from brokers.alpaca.wire import BarStream

log = logging.getLogger(__name__)

#: Status codes of a symbol that does not trade: tapes A and B, then tape C (UTP), whose codes are letters too.
_HALTED: Final = frozenset({"2", "H", "P"})
_TRADING: Final = frozenset({"3", "5", "T", "Q"})

STREAM_URL: Final = "wss://stream.data.alpaca.markets/v2"
DATA_URL: Final = "https://data.alpaca.markets"
_FIRST_SECONDS: Final = 15.0


class AlpacaBars:
    """Sends each minute's bar once, in order per symbol.

    ``data_url`` is the address of the data socket or of the data API; the other is beside it.
    """

    step = 60 * NANOS_PER_SECOND

    def __init__(self, key: str, secret: str, feed: str = "iex", data_url: str = "") -> None:
        self._keys = (key, secret)
        self._socket_url, self._rest_url = _addresses(data_url, feed)
        self._feed = feed
        self._last: dict[str, int] = {}
        self._spelled: dict[str, str] = {}
        self._take: Callable[[Bar], None] = lambda bar: None
        self._halted: dict[str, tuple[int, str]] = {}
        self._since = 0
        self._up = threading.Event()
        self._stream: BarStream | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def healthy(self) -> bool:
        return self._up.is_set()

    @property
    def halted(self) -> dict[str, str]:
        return {symbol: why for symbol, (_, why) in self._halted.copy().items()}

    def start(self, symbols: Sequence[str], take: Callable[[Bar], None]) -> None:
        if not all(self._keys):
            raise Fatal(f"alpaca: no credentials. {HINT}")
        self._spelled = {Symbol.parse(symbol).ticker: symbol for symbol in symbols}
        self._take = take
        self._since = to_nanos(datetime.now(UTC))
        from brokers.alpaca.wire import BarStream

        self._stream = BarStream(*self._keys, self._socket_url, self._on_up, self._up.clear)
        self._stream.subscribe_bars(self._hear, *self._spelled)
        self._stream.subscribe_trading_statuses(self._hear_status, *self._spelled)
        self._thread = threading.Thread(target=self._work, name="alpaca bars", daemon=True)
        self._thread.start()
        if not self._up.wait(_FIRST_SECONDS):
            refused = self._stream.refused
            self.stop()
            if refused:
                hint = "Another program has the one connection of this account." if "limit" in refused else HINT
                raise Fatal(f"alpaca lets nobody in for market data: {refused}. {hint}")
            raise Transient("alpaca's market data does not come up")

    def stop(self) -> None:
        self._up.clear()
        while self._thread is not None and self._thread.is_alive():
            if self._loop is not None and self._loop.is_running():
                self._loop.call_soon_threadsafe(self._cancel)
            self._thread.join(0.25)

    def _cancel(self) -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("alpaca's market data ended")

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        assert self._stream is not None
        await self._stream._run_forever()

    def _on_up(self) -> None:
        """The socket is up: bars that were missed come first."""
        try:
            self._fill_gap()
        except (requests.RequestException, ArithmeticError, LookupError, ValueError, TypeError) as error:
            log.warning("alpaca did not tell the bars that were missed: %s", error)
        self._up.set()

    def _fill_gap(self) -> None:
        if not self._last:
            return
        rows = self._rows(list(self._spelled), Timeframe.MINUTE, min(self._last.values()))
        for ticker, row in sorted(rows, key=lambda one: str(one[1]["t"])):
            self._give(ticker, moment(row["t"]), row)

    def history(self, symbol: str, timeframe: Timeframe, since: int) -> list[Bar]:
        try:
            rows = self._rows([Symbol.parse(symbol).ticker], timeframe, since)
            return [_bar(symbol, moment(row["t"]), row) for _, row in rows]
        except (requests.RequestException, ArithmeticError, LookupError, ValueError, TypeError) as error:
            raise Transient(f"alpaca did not tell the past bars of {symbol}: {error}") from error

    def _rows(self, tickers: Sequence[str], timeframe: Timeframe, since: int) -> list[tuple[str, Any]]:
        """The recorded bars since then (ns), page by page, each with its ticker."""
        query = {
            "symbols": ",".join(tickers),
            "timeframe": timeframe.value,
            "start": datetime.fromtimestamp(since / NANOS_PER_SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "feed": self._feed,
            "limit": "10000",
        }
        headers = {"APCA-API-KEY-ID": self._keys[0], "APCA-API-SECRET-KEY": self._keys[1]}
        rows: list[tuple[str, Any]] = []
        while True:
            answer = requests.get(f"{self._rest_url}/v2/stocks/bars", query, headers=headers, timeout=TIMEOUT)
            answer.raise_for_status()
            page = answer.json()
            rows += [(ticker, row) for ticker, found in page["bars"].items() for row in found]
            if not page.get("next_page_token"):
                return rows
            query["page_token"] = str(page["next_page_token"])

    async def _hear(self, row: Any) -> None:
        time = row["t"]
        self._give(row["S"], time.seconds * NANOS_PER_SECOND + time.nanoseconds, row)

    async def _hear_status(self, row: Any) -> None:
        """A halt or a resumption; a pause in which quotes come, but no trades, is a halt still."""
        symbol, code = self._spelled.get(row["S"]), str(row["sc"])
        if symbol is None:
            return
        if code in _HALTED:
            since = row["t"].seconds * NANOS_PER_SECOND
            self._halted[symbol] = since, " ".join(part for part in (row.get("sm"), row.get("rm")) if part) or code
        elif code in _TRADING:
            self._halted.pop(symbol, None)

    def _give(self, ticker: str, time: int, row: Any) -> None:
        symbol = self._spelled.get(ticker)
        if symbol is None or time <= self._last.get(symbol, -1):
            return
        self._last[symbol] = time
        if symbol in self._halted and time > self._halted[symbol][0]:
            # It trades: its resumption was told while the connection was lost.
            del self._halted[symbol]
        self._take(_bar(symbol, time, row))


def _bar(symbol: str, time: int, row: Any) -> Bar:
    return Bar(symbol, time, *(float(row[name]) for name in ("o", "h", "l", "c", "v")))


def _addresses(data_url: str, feed: str) -> tuple[str, str]:
    """The addresses of the socket and of the API, of which one may be given."""
    if not data_url:
        return f"{STREAM_URL}/{feed}", DATA_URL
    parts = urlsplit(data_url)
    safe = "s" if parts.scheme in ("https", "wss") else ""
    path = parts.path if parts.scheme.startswith("ws") and parts.path.strip("/") else f"/v2/{feed}"
    return f"ws{safe}://{parts.netloc}{path}", f"http{safe}://{parts.netloc}"
