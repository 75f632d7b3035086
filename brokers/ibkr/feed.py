"""Interactive Brokers' five-second bars."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any, Final

from brokers.ibkr import mapping
from brokers.ibkr.wire import CONNECT_SECONDS, IbThread
from trading.engine.bars import NANOS_PER_SECOND, Bar, to_nanos
from trading.engine.errors import Fatal, Transient

log = logging.getLogger(__name__)

_RECONNECT_SECONDS: Final = 2.0
_BAR_SECONDS: Final = 5


class IbkrBars:
    """Sends the five-second bars of trades, and subscribes anew after every reconnection."""

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
        self._symbols: tuple[str, ...] = ()
        self._up = threading.Event()
        self._wire: IbThread | None = None

    @property
    def healthy(self) -> bool:
        return self._up.is_set()

    @property
    def halted(self) -> dict[str, str]:
        """Real-time bars do not tell; an order in a halted symbol is held or refused by the venue itself."""
        return {}

    def start(self, symbols: Sequence[str], take: Callable[[Bar], None]) -> None:
        self._take, self._symbols = take, tuple(symbols)
        self._wire = IbThread("ibkr bars")
        try:
            self._wire.call(self._begin(), CONNECT_SECONDS * 2)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._up.clear()
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
        for symbol in self._symbols:
            await self._subscribe(symbol)
        self._up.set()

    async def _subscribe(self, symbol: str) -> None:
        wanted = self._require().contract(**mapping.contract(symbol, *self._market))
        try:
            found = await self._ib.qualifyContractsAsync(wanted)
        except Exception as error:
            raise Fatal(f"ibkr does not know {symbol}: {error}") from error
        if not found:
            raise Fatal(f"ibkr does not know {symbol}, or knows several of it")
        bars = self._ib.reqRealTimeBars(found[0], _BAR_SECONDS, "TRADES", False)
        bars.updateEvent += lambda rows, has_new: self._hear(symbol, rows[-1]) if has_new else None

    def _hear(self, symbol: str, row: Any) -> None:
        start = row.time if row.time.tzinfo is not None else row.time.replace(tzinfo=UTC)
        self._take(Bar(symbol, to_nanos(start), row.open_, row.high, row.low, row.close, float(row.volume)))

    def _on_error(self, request: int, code: int, text: str, contract: Any) -> None:
        if code in mapping.CONNECTION_LOST:
            self._up.clear()
        elif code in mapping.CONNECTION_BACK:
            self._up.set()

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
