"""The simulated venue's book: our own resting orders, from their submission to their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

from brokers.account import Account
from brokers.agenda import Agenda
from brokers.crossing import Crossing, closes_in
from brokers.fills import Filler
from brokers.matching import Reach, Seen, between, trail
from brokers.working import NEVER, Pool, WorkingOrder, link
from trading.engine.bars import Bar
from trading.engine.calendars import DAY, calendar_of
from trading.engine.instruments import Instrument, instrument_of
from trading.engine.orders import OrderRecord, OrderRequest, OrderType, Side, TimeInForce
from trading.engine.updates import ExternalOrder, OrderUpdate, UpdateKind, VenueUpdate

_OVER: Final = {
    TimeInForce.DAY: "the day is over",
    TimeInForce.GTD: "its time is over",
    TimeInForce.OPG: "it was not filled in the opening auction",
    TimeInForce.CLS: "it was not filled in the closing auction",
}
# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_ACCEPTED: Final = UpdateKind.ACCEPTED
_GTC: Final = TimeInForce.GTC
_TRAILING_STOP: Final = OrderType.TRAILING_STOP


class FillAt(StrEnum):
    NEXT_OPEN = "next_open"
    SAME_CLOSE = "same_close"


class Hours(StrEnum):
    ANY = "any"
    REGULAR = "regular"


class Book:
    """Resting orders, and what a bar makes of them. What happens is told by ``emit``; the account is booked at once.

    ``interval`` is a bar's length and ``latency`` the delay of an order past its decision, both in nanoseconds.
    ``reach`` decides what trades inside of a bar. Without ``shorts`` a sale fills at most what is held. ``is_last``
    once no bar will come any more: what is new is shown the last close of its symbol.
    """

    def __init__(
        self,
        filler: Filler,
        emit: Callable[[VenueUpdate], None],
        fill: FillAt = FillAt.NEXT_OPEN,
        latency: int = 0,
        hours: Hours = Hours.ANY,
        reach: Reach = between,
        shorts: bool = True,
    ) -> None:
        self.account: Account = filler.account
        self.emit = emit
        self.reach = reach
        self._by_range = reach is between
        self.agenda = Agenda()
        self.instruments: dict[str, Instrument] = {}
        self.bars: dict[str, Bar] = {}
        self.interval = 0
        self.is_last = False
        self.now = 0
        self._filler = filler
        self._crossing = Crossing(self)
        self._at_close = fill is FillAt.SAME_CLOSE and not latency
        self._latency = latency
        self._regular = hours is Hours.REGULAR
        self._shorts = shorts
        self._resting: dict[str, dict[str, WorkingOrder]] = {}
        self._traded_by: dict[str, str] = {}
        self._introduced = 0

    def instrument(self, symbol: str) -> Instrument:
        instrument = self.instruments.get(symbol)
        if instrument is None:
            instrument = self.instruments[symbol] = instrument_of(symbol)
        return instrument

    def on_bar(self, bar: Bar) -> bool:
        """Do what is due by the bar's start, then match the symbol's orders against it; whether that told anything."""
        time = bar.time
        self.now = time
        due = time >= self.agenda.due
        if due:
            self.agenda.run(time)
        self.bars[bar.symbol] = bar
        resting = self._resting.get(bar.symbol)
        if not resting:
            return due
        works = [
            work
            for work in resting.values()
            if work.live_from <= time
            and not (work.shares is not None and work.is_waiting)
            and not (work.level is not None and self._by_range and work.is_out_of_reach(bar))
        ]
        if self._regular:
            works = [work for work in works if self.is_live(work, bar)]
        if works:
            self._crossing.run(Seen(bar, self.interval), works)
        return True

    def is_live(self, work: WorkingOrder, bar: Bar) -> bool:
        """Whether an order is active in a bar, by its delay and by the hours of the market."""
        if work.live_from > bar.time:
            return False
        if not self._regular or work.order.extended_hours:
            return True
        return calendar_of(work.instrument.calendar).is_open(bar.time, bar.time + self.interval)

    # Orders in and out.

    def submit(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        """Take an order with those that depend on it; each is told as accepted."""
        if not linked:
            work = self._working(order)
            self._enter(work)
            self._begin(work)
            return
        works = [self._working(one) for one in (order, *linked)]
        link(works)
        for work in works:
            self._enter(work)
        for work in works:
            self._begin(work)

    def replace(self, order: OrderRecord, by: OrderRecord) -> None:
        """Put ``by`` in the place of ``order``, with all that is linked to it; refused where that is not open."""
        old = self._find(order)
        if old is None:
            self.reject(by, "the venue has no such open order")
            return
        work = self._working(by)
        work.follow(old)
        if old.mark is not None:
            trail(work, old.mark)
        self._leave(old)
        self._tell(UpdateKind.REPLACED, order)
        self._enter(work)
        self._begin(work)

    def cancel(self, order: OrderRecord) -> None:
        """Cancel an order, and what waits for it if nothing of it was filled; refused where it is not open."""
        work = self._find(order)
        if work is None:
            self._tell(UpdateKind.CANCEL_REFUSED, order, "the venue has no such open order")
        else:
            self.finish(work, UpdateKind.CANCELLED)

    def orders(self) -> list[WorkingOrder]:
        """All that rests, oldest first within each symbol."""
        return [work for resting in self._resting.values() for work in resting.values()]

    def _find(self, order: OrderRecord) -> WorkingOrder | None:
        return self._resting.get(order.symbol, {}).get(order.client_order_id)

    def _working(self, order: OrderRecord) -> WorkingOrder:
        # Days need not be 24 hours long: the bar after a daily one is the next, whenever it starts.
        length = self.interval if self._latency or 0 < self.interval < DAY else 1
        live_from = 0 if self.is_last else order.created_at + (0 if self._at_close else length + self._latency)
        reduce_only = order.reduce_only or not (self._shorts or order.side is Side.BUY)
        return WorkingOrder.of(order, self.instrument(order.symbol), live_from, reduce_only)

    def _enter(self, work: WorkingOrder) -> None:
        order = work.order
        self._tell(_ACCEPTED, order)
        self._resting.setdefault(order.symbol, {})[work.key] = work
        if order.time_in_force is not _GTC:
            self._set_end(work)

    def _set_end(self, work: WorkingOrder) -> None:
        """Reckon until when an order works. It was decided at its bar's end, or just before it if it may fill there."""
        order = work.order
        if order.time_in_force is TimeInForce.GTD:
            work.expires = NEVER if order.expires_at is None else order.expires_at
        elif not work.immediate:
            calendar = calendar_of(work.instrument.calendar)
            decided = order.created_at + self.interval + self._latency - self._at_close
            if order.time_in_force is TimeInForce.OPG:
                work.auction = calendar.open_from(decided)
                work.expires = work.auction + 1
            else:
                work.expires = calendar.close_after(decided)
                work.auction = work.expires if order.time_in_force is TimeInForce.CLS else 0
        self.agenda.at(work.expires, self._expire)

    def _begin(self, work: WorkingOrder) -> None:
        """Show a new order the close at which it was made: to trade there, or for its trailing stop to start from."""
        if not (self._at_close or self.is_last) and work.type is not _TRAILING_STOP:
            return
        order = work.order
        bar = self.bars.get(order.symbol)
        if bar is None or work.done or work.is_waiting:
            return
        at_close = self.is_last or (self._at_close and bar.time == order.created_at)
        if at_close and self.is_live(work, bar):
            seen = Seen(bar, self.interval)
            if not work.auction or closes_in(work, seen):
                self._crossing.at_close(seen, work)
        elif work.type is _TRAILING_STOP:
            trail(work, Seen(bar).close(work.buy))

    def _expire(self, _: int) -> None:
        for work in self.orders():
            if work.expires <= self.now and not work.done:
                self.finish(work, UpdateKind.EXPIRED, _OVER[work.order.time_in_force])

    def introduce(self, symbol: str, units: Decimal, reason: str) -> WorkingOrder:
        """Put a market order of the venue's own in the book; ``units`` are negative to sell.

        It closes a position, so it is named after the order that traded the symbol last: no other run has that name.
        """
        self._introduced += 1
        name = f"{self._traded_by[symbol]}-x{self._introduced}"
        side = Side.BUY if units > 0 else Side.SELL
        terms = OrderRequest(symbol=symbol, side=side, qty=abs(units), time_in_force=_GTC, reduce_only=True)
        self.emit(ExternalOrder(name, self.now, terms, f"sim-{name}", reason))
        order = OrderRecord(
            id=name,
            client_order_id=name,
            symbol=symbol,
            side=side,
            qty=terms.qty,
            type=terms.type,
            time_in_force=terms.time_in_force,
            limit_price=None,
            created_at=-1,
            signal=side.value,
            reduce_only=True,
            external=True,
        )
        work = WorkingOrder.of(order, self.instrument(symbol), reduce_only=True)
        self._resting.setdefault(symbol, {})[name] = work
        return work

    def settle(self, work: WorkingOrder, price: Decimal) -> None:
        """Fill all of an order of the venue's own at exactly ``price``, free of charge."""
        self.emit(self._filler.settle(work, price, self.now))
        self._leave(work)

    # What becomes of them.

    def fill(self, work: WorkingOrder, price: Decimal, seen: Seen) -> list[WorkingOrder]:
        """Fill what may be filled of an order at ``price``; returns the orders that waited for that."""
        update = self._filler.fill(work, price, seen, self.now)
        if update is None:
            return []
        self.emit(update)
        self._traded_by[work.order.symbol] = work.key
        if not work.left:
            self._leave(work)
        waited: list[WorkingOrder] = []
        pool = work.feeds
        if pool is not None:
            waited = [child for child in pool.members if not child.done and child.is_waiting]
            pool.given += update.qty
            pool.closed = work.done
        # Only now: what ends with the quantity that it shares still leaves its exits what it has filled.
        if work.shares is not None:
            work.shares.used += update.qty
            self._end_if_over(work.shares)
        return waited

    def finish(self, work: WorkingOrder, kind: UpdateKind, reason: str = "") -> None:
        """End an order that was not filled, or not in full."""
        self._tell(kind, work.order, reason)
        self._leave(work)
        if work.feeds is not None:
            work.feeds.closed = True
            self._end_if_over(work.feeds)

    def _leave(self, work: WorkingOrder) -> None:
        work.done = True
        del self._resting[work.order.symbol][work.key]

    def _end_if_over(self, pool: Pool) -> None:
        """Cancel the members of a pool out of which nothing can come any more."""
        if not pool.is_over:
            return
        reason = "the quantity that it shares is filled" if pool.used else "the order that it waits for has ended"
        for member in pool.members:
            if not member.done:
                self.finish(member, UpdateKind.CANCELLED, reason)
        pool.members.clear()

    def reject(self, order: OrderRecord, reason: str) -> None:
        """Refuse an order that never was in the book."""
        self._tell(UpdateKind.REJECTED, order, reason)

    def _tell(self, kind: UpdateKind, order: OrderRecord, reason: str = "") -> None:
        key = order.client_order_id
        self.emit(OrderUpdate(kind, key, self.now, venue_order_id=f"sim-{key}", reason=reason))
