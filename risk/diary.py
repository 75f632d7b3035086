"""What the limits of a run are measured from: its equity, its fills, and what became of its orders."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Final

import msgspec

from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.calendars import DAY
from trading.engine.orders import OrderRecord, OrderStatus, Side
from trading.engine.portfolio import ZERO, Position
from trading.engine.records import Fill
from trading.engine.strategy import Context

#: Orders sent so long ago (ns of event time) no longer count towards the rate of rejects.
REJECT_WINDOW: Final = 3600 * NANOS_PER_SECOND


class Sent(msgspec.Struct):
    """An order that left, at event time ``time`` (ns)."""

    time: int
    order_id: str


class Stay(msgspec.Struct):
    """A position from flat to flat, or to the other side: since when (ns of event time), the symbol's realised profit
    when it began, and the fees since."""

    since: int
    realized: Decimal
    fees: Decimal = ZERO


class Diary(msgspec.Struct):
    """Kept for one run. A day runs from 00:00 to 24:00 UTC, by the stamps of bars and fills.

    Equities are floats of the account's currency: ``day_start`` after the last bar of the day before (at first the
    starting cash), ``peak`` the highest after any bar (at least the starting cash), ``last`` the latest. ``trades`` are
    the orders whose fills opened or enlarged a position today, ``turned_away`` whether one more was asked for;
    ``losses`` is how many round trips in a row have lost money, fees counted, of all symbols by the time at which they
    ended. ``made`` is what a symbol has earned apart from the value of what is held, ``bases`` what it had made in all
    when a person last let the run trade again. ``sent`` are the orders of the last hour, ``rejected`` those of them
    that the venue did not take. Ids stand in the order in which they came, so that the same run saves the same.
    """

    day_start: float
    peak: float
    last: float
    day_ends: int = 0
    trades: dict[str, bool] = msgspec.field(default_factory=dict)
    turned_away: bool = False
    losses: int = 0
    stays: dict[str, Stay] = msgspec.field(default_factory=dict)
    made: dict[str, float] = msgspec.field(default_factory=dict)
    bases: dict[str, Decimal] = msgspec.field(default_factory=dict)
    sent: deque[Sent] = msgspec.field(default_factory=deque)
    rejected: dict[str, bool] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, starting_cash: Decimal) -> Diary:
        equity = float(starting_cash)
        return cls(equity, equity, equity)

    def mark(self, time: int, equity: float) -> None:
        """Take the equity after a bar stamped ``time`` (ns)."""
        if time >= self.day_ends:
            self.turn(time)
        self.last = equity
        if equity > self.peak:
            self.peak = equity

    def turn(self, time: int) -> None:
        """Begin a new day where ``time`` (ns) is in one."""
        if time >= self.day_ends:
            self.day_ends = (time // DAY + 1) * DAY
            self.day_start = self.last
            self.trades.clear()
            self.turned_away = False

    def book(self, order: OrderRecord, fill: Fill, time: int) -> None:
        """Take a fill of an order, at ``time`` (ns)."""
        self.turn(time)
        symbol, after = fill.symbol, fill.position_qty
        before = after - (fill.qty if fill.side is Side.BUY else -fill.qty)
        turns = before * after < 0
        if turns or abs(after) > abs(before):
            self.trades[order.id] = True
        self.made[symbol] = float(fill.realized_pnl - fill.position_cost - self.bases.get(symbol, ZERO))
        stay = self.stays.get(symbol)
        if stay is not None:
            stay.fees += fill.fee
            if turns or not after:
                won = fill.realized_pnl - stay.realized >= stay.fees
                self.losses = 0 if won else self.losses + 1
                del self.stays[symbol]
        if after and symbol not in self.stays:
            self.stays[symbol] = Stay(time, fill.realized_pnl, ZERO if turns else fill.fee)

    def send(self, order: OrderRecord, time: int) -> None:
        self.forget(time)
        self.sent.append(Sent(time, order.id))

    def end(self, order: OrderRecord) -> None:
        # One that is refused long after it was sent is of no rate any more, and would never be forgotten.
        if order.status is OrderStatus.REJECTED and any(one.order_id == order.id for one in self.sent):
            self.rejected[order.id] = True

    def forget(self, time: int) -> None:
        """Forget the orders that were sent too long before ``time`` (ns)."""
        while self.sent and self.sent[0].time <= time - REJECT_WINDOW:
            self.rejected.pop(self.sent.popleft().order_id, None)

    def renew(self, run: Context) -> None:
        """A person lets the run trade again: all is measured anew from here."""
        self.day_start = self.peak = self.last
        self.trades.clear()
        self.turned_away = False
        self.losses = 0
        self.sent.clear()
        self.rejected.clear()
        for stay in self.stays.values():
            stay.since = run.now
        for symbol in self.made:
            position = run.position(symbol)
            if position is not None:
                self.bases[symbol] = profit(position)
                self.made[symbol] = float(position.realized_pnl - position.cost - self.bases[symbol])


def profit(position: Position) -> Decimal:
    """What a symbol has made: realised and unrealised at the last close, fees not counted."""
    return position.realized_pnl + position.unrealized_pnl
