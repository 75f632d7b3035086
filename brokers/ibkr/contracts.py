"""Which instrument at Interactive Brokers a symbol means: asked once, and refused where it could be several."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from brokers.ibkr import mapping
from brokers.ibkr.wire import IbThread
from trading.engine.errors import Rejected, Transient
from trading.engine.symbols import Symbol

if TYPE_CHECKING:
    from brokers.ibkr.wire import Contract

_SECONDS: Final = 5.0


class Contracts:
    """The contracts of symbols, by ``exchange`` and ``currency``; to be used in the wire's loop alone.

    A symbol's own exchange (``AAPL.NASDAQ``) names the primary one, which tells listings of one ticker apart.
    """

    def __init__(self, wire: IbThread, exchange: str, currency: str) -> None:
        self._wire = wire
        self._market = (exchange, currency)
        self._found: dict[str, Contract] = {}
        self.spelled: dict[str, str] = {}

    async def find(self, symbol: str) -> Contract:
        """Raises `Rejected` for a symbol that the venue does not know, or knows several of; `Transient` unanswered."""
        contract = self._found.get(symbol)
        if contract is None:
            contract = self._found[symbol] = await self._ask(symbol)
            self.spelled[Symbol.parse(symbol).ticker] = symbol
        return contract

    async def _ask(self, symbol: str) -> Contract:
        wanted = self._wire.contract(**mapping.contract(symbol, *self._market))
        try:
            details = await asyncio.wait_for(self._wire.ib.reqContractDetailsAsync(wanted), _SECONDS)
        except (TimeoutError, ConnectionError):
            raise Transient(f"ibkr did not say what {symbol} is") from None
        except Exception as error:
            raise Rejected(f"ibkr does not know {symbol}: {error}") from error
        if not details:
            raise Rejected(f"ibkr does not know {symbol}")
        if len(details) > 1:
            listed = sorted({one.contract.primaryExchange or one.contract.exchange for one in details})
            raise Rejected(
                f"ibkr knows several of {symbol}, at {', '.join(listed)}: write the exchange with it, as "
                f"{Symbol.parse(symbol).ticker}.{listed[0]}"
            )
        found: Contract = details[0].contract
        # "SMART" is how orders are routed, and no answer names it. An expiry's time and zone spoil later requests.
        found.exchange = wanted.exchange or found.exchange
        found.lastTradeDateOrContractMonth = found.lastTradeDateOrContractMonth.split(" ")[0]
        return found
