"""One execution at the simulated venue: how much of an order, at what price after slippage, for what fee."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from brokers.account import Account
from brokers.executions import Execution
from brokers.fees import Fees
from brokers.matching import Seen
from brokers.slippage import Slippage, Volume
from brokers.working import ZERO, WorkingOrder
from trading.engine.bars import Bar
from trading.engine.orders import TimeInForce
from trading.engine.updates import OrderUpdate, UpdateKind

# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_FILL: Final = UpdateKind.FILL


class Filler:
    """Fills orders and books them in the account at once.

    ``slippage_paid`` is what fills have cost so far beyond the prices before slippage, in the account's currency.
    """

    def __init__(self, account: Account, slippage: Slippage | None, fees: Fees | None) -> None:
        self.account = account
        self.slippage_paid = ZERO
        self._slippage = slippage
        self._share = None if slippage is None else slippage.volume_share
        self._fees = fees
        self._volumes: dict[str, tuple[int, Volume]] = {}

    def fill(self, work: WorkingOrder, price: Decimal, seen: Seen, now: int) -> OrderUpdate | None:
        """Fill as much of an order as may be at ``price``, made worse by slippage but never beyond its limit.

        None where nothing may be filled: no volume is left in the bar, a reduce-only order has nothing to reduce, or
        not all of a fill-or-kill order can be had.
        """
        qty = work.left if work.shares is None else min(work.left, work.shares.left)
        if work.reduce_only:
            qty = min(qty, self.account.reducible(work.order.symbol, work.buy))
        volume = None if self._share is None else self._volume(seen.bar, self._share)
        if volume is not None:
            qty = volume.allowed(qty, work.instrument)
        if not qty or (qty < work.left and work.order.time_in_force is TimeInForce.FOK):
            return None
        if self._slippage is not None or seen.is_quoted:
            share = ZERO if volume is None else volume.take(qty)
            traded = self._worsened(work, price, seen.is_quoted, share)
            self.slippage_paid += abs(traded - price) * qty * work.instrument.multiplier
            price = traded
        fee = ZERO
        if self._fees is not None:
            fee = self._fees(Execution(work.instrument, work.buy, qty, price, now, not work.executions))
        return self._book(work, qty, price, fee, now)

    def settle(self, work: WorkingOrder, price: Decimal, now: int) -> OrderUpdate:
        """Book all of an order at exactly ``price``, free of charge."""
        return self._book(work, work.left, price, ZERO, now)

    def _book(self, work: WorkingOrder, qty: Decimal, price: Decimal, fee: Decimal, now: int) -> OrderUpdate:
        signed = qty if work.buy else -qty
        self.account.trade(work.order.symbol, signed, price, work.instrument.multiplier, fee)
        work.executions += 1
        work.left -= qty
        work.value += qty * price
        name = f"{work.key}/{work.executions}"
        return OrderUpdate(_FILL, work.key, now, None, name, qty, price, fee)

    def _worsened(self, work: WorkingOrder, price: Decimal, quoted: bool, share: Decimal) -> Decimal:
        if self._slippage is not None:
            traded = self._slippage.price(price, work.buy, work.instrument, quoted, share)
        else:
            traded = work.instrument.worse(price, work.buy)
        if work.limit is None:
            return traded
        return min(traded, work.limit) if work.buy else max(traded, work.limit)

    def _volume(self, bar: Bar, share: Decimal) -> Volume:
        """What is left of a bar's volume."""
        time, volume = self._volumes.get(bar.symbol, (-1, None))
        if time != bar.time or volume is None:
            volume = Volume(bar.volume, share)
            self._volumes[bar.symbol] = (bar.time, volume)
        return volume
