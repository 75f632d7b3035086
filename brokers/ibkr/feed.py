"""Interactive Brokers' five-second bars, its recorded ones, and its word on what does not trade."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from datetime import time as midnight
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from brokers.ibkr import mapping
from brokers.ibkr.contracts import Contracts
from brokers.ibkr.wire import CONNECT_SECONDS, IbThread
from brokers.pacing import RateLimit, shared
from trading.engine.bars import NANOS_PER_SECOND, Bar, Timeframe, to_nanos
from trading.engine.errors import Fatal, Rejected, Transient

if TYPE_CHECKING:
    from brokers.ibkr.wire import Contract

log = logging.getLogger(__name__)

_RECONNECT_SECONDS: Final = 2.0
_BAR_SECONDS: Final = 5
_DAY_SECONDS: Final = 24 * 3600
#: The venue answers as many questions for recorded bars in as many seconds, and refuses the next.
HISTORY_CALLS: Final = (60, 600.0)
_HISTORY_SECONDS: Final = 60.0
#: And refuses the same one again before so many have passed.
SAME_SECONDS: Final = 15.0
#: How far back a lost connection's five-second bars can be asked for.
_GAP_SECONDS: Final = 3600
_SIZES: Final = {
    Timeframe.MINUTE: "1 min",
    Timeframe.FIVE_MINUTES: "5 mins",
    Timeframe.HOUR: "1 hour",
    Timeframe.DAY: "1 day",
}


class IbkrBars:
    """Sends the five-second bars of trades. After a reconnection it subscribes anew, and asks for those of the last
    hour that were missed.

    Bars of a competing session, or of a market data farm that is away, do not flow, though the connection stands.
    """

    step = _BAR_SECONDS * NANOS_PER_SECOND

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 7497,
        client_id: int = 101,
        exchange: str = "SMART",
        currency: str = "USD",
    ) -> None:
        self._address = (host, port, client_id)
        self._market = (exchange, currency)
        self._take: Callable[[Bar], None] = lambda bar: None
        self._last: dict[str, int] = {}
        self._halted: dict[str, str] = {}
        self._up = threading.Event()
        self._closing = threading.Event()
        self._asking = shared(("ibkr history", host, port), RateLimit(*HISTORY_CALLS))
        self._asked_at: dict[tuple[str, str, str], float] = {}
        self._wire: IbThread | None = None
        self._contracts: Contracts | None = None

    @property
    def healthy(self) -> bool:
        return self._up.is_set()

    @property
    def halted(self) -> dict[str, str]:
        return self._halted.copy()

    def start(self, symbols: Sequence[str], take: Callable[[Bar], None]) -> None:
        self._take, self._last = take, dict.fromkeys(symbols, -1)
        self._wire = IbThread("ibkr bars")
        self._contracts = Contracts(self._wire, *self._market)
        try:
            self._wire.call(self._begin(), CONNECT_SECONDS * 2)
        except Rejected as error:
            self.stop()
            raise Fatal(str(error)) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._up.clear()
        self._closing.set()
        if self._wire is not None:
            self._wire.stop()

    async def _begin(self) -> None:
        ib = self._ib
        ib.disconnectedEvent += self._up.clear
        ib.errorEvent += self._on_error
        await self._connect()
        self._require().later(self._keep())

    async def _connect(self) -> None:
        await self._require().connect(self._address, readonly=True)
        await self._subscribe()

    async def _subscribe(self) -> None:
        """Ask for the bars of all symbols, and for ticks, which tell of halts; what was missed comes first."""
        for symbol, last in self._last.items():
            contract = await self._contract(symbol)
            bars = self._ib.reqRealTimeBars(contract, _BAR_SECONDS, "TRADES", False)
            bars.updateEvent += self._hearing(symbol)
            ticker = self._ib.reqMktData(contract, "", False, False)
            ticker.updateEvent += self._watching(symbol)
            if last >= 0:
                await self._fill_gap(symbol, contract, last)
        self._up.set()

    def _hearing(self, symbol: str) -> Callable[[Any, bool], None]:
        return lambda rows, has_new: self._give(_bar(symbol, rows[-1].time, rows[-1])) if has_new else None

    def _watching(self, symbol: str) -> Callable[[Any], None]:
        def hear(ticker: Any) -> None:
            why = mapping.halt(ticker.halted)
            if why:
                self._halted[symbol] = why
            elif why is not None:
                self._halted.pop(symbol, None)

        return hear

    async def _fill_gap(self, symbol: str, contract: Contract, last: int) -> None:
        seconds = min(ceil(time.time() - last / NANOS_PER_SECOND), _GAP_SECONDS)
        try:
            for bar in await self._recorded(symbol, contract, f"{seconds} S", "5 secs"):
                self._give(bar)
        except Transient as error:
            log.warning("ibkr did not tell the bars that were missed: %s", error)

    def _give(self, bar: Bar) -> None:
        self._up.set()
        if bar.time > self._last[bar.symbol]:
            self._last[bar.symbol] = bar.time
            self._take(bar)

    # Recorded bars.

    def history(self, symbol: str, timeframe: Timeframe, since: int) -> list[Bar]:
        seconds = ceil(time.time() - since / NANOS_PER_SECOND)
        back = f"{seconds} S" if seconds <= _DAY_SECONDS else f"{ceil(seconds / _DAY_SECONDS)} D"
        asked = symbol, back, _SIZES[timeframe]
        if asked in self._asked_at:
            self._pause(max(self._asked_at[asked] + SAME_SECONDS - time.monotonic(), 0.0))
        self._asking.wait(self._pause)
        self._asked_at[asked] = time.monotonic()
        return self._require().call(self._history(symbol, back, _SIZES[timeframe]), _HISTORY_SECONDS * 2)

    async def _history(self, symbol: str, back: str, size: str) -> list[Bar]:
        return await self._recorded(symbol, await self._contract(symbol), back, size)

    async def _recorded(self, symbol: str, contract: Contract, back: str, size: str) -> list[Bar]:
        what = "AGGTRADES" if contract.secType == "CRYPTO" else "TRADES"
        asked = self._ib.reqHistoricalDataAsync(contract, "", back, size, what, False, 2, timeout=0)
        try:
            rows = await asyncio.wait_for(asked, _HISTORY_SECONDS)
        except Exception as error:
            if mapping.has_no_data(error):
                return []
            raise Transient(f"ibkr did not tell the past bars of {symbol}: {error or type(error).__name__}") from error
        return [_bar(symbol, row.date, row, row.open) for row in rows]

    def _pause(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise Transient("the feed is closed")

    async def _contract(self, symbol: str) -> Contract:
        assert self._contracts is not None
        return await self._contracts.find(symbol)

    # The connection.

    def _on_error(self, request: int, code: int, text: str, contract: Any) -> None:
        if code in mapping.CONNECTION_LOST | mapping.DATA_LOST:
            self._up.clear()
        elif code == mapping.SUBSCRIPTIONS_LOST:
            self._require().later(self._again())
        elif code in mapping.CONNECTION_BACK | mapping.DATA_BACK and self._ib.isConnected():
            self._up.set()

    async def _again(self) -> None:
        try:
            await self._subscribe()
        except Exception as error:
            log.warning("ibkr's bars do not come back: %s", error)
            self._ib.disconnect()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_RECONNECT_SECONDS)
            if not self._ib.isConnected():
                try:
                    await self._connect()
                except Exception as error:
                    log.warning("ibkr's bars do not come back: %s", error)

    @property
    def _ib(self) -> Any:
        return self._require().ib

    def _require(self) -> IbThread:
        if self._wire is None:
            raise Transient("ibkr is not connected")
        return self._wire


def _bar(symbol: str, start: Any, row: Any, opened: float | None = None) -> Bar:
    """A row of recorded or real-time bars; a day's has a date, and begins at midnight UTC."""
    moment = start if isinstance(start, datetime) else datetime.combine(start, midnight.min)
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    first = row.open_ if opened is None else opened
    return Bar(symbol, to_nanos(moment), first, row.high, row.low, row.close, float(row.volume))
