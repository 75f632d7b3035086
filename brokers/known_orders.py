"""Which of a venue's orders are the run's own, and what is new of any of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

import msgspec

from brokers.base import Recalled
from brokers.sightings import Sightings, VenueOrder
from trading.engine.errors import Rejected
from trading.engine.instruments import instrument_of
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus, Side
from trading.engine.updates import CashUpdate, ExternalOrder, OrderUpdate, UpdateKind, VenueUpdate

log = logging.getLogger(__name__)

#: New terms that the venue has not shown for an order by then were not taken; longer than any call for them lasts.
REPLACE_SECONDS: Final = 30.0


class _Replacing(msgspec.Struct, frozen=True):
    """``by`` may have come into the place of ``order``: the terms that the venue shows will tell, until ``give_up``."""

    order: OrderRecord
    by: OrderRecord
    give_up: float


class KnownOrders:
    """Turns what a venue shows into updates of the run's orders; safe to use from several threads.

    An order is the run's own by its client order id, or by a venue's id that was taken for it (`name`); any other comes
    in as external, under a name made of venue and id.
    """

    def __init__(self, venue: str, tell: Callable[[Sequence[VenueUpdate]], None]) -> None:
        self._venue = venue
        self._tell = tell
        self._ours: set[str] = set()
        self._sent: set[str] = set()
        self._decided: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._sightings = Sightings()
        self._replacing: dict[str, _Replacing] = {}
        self._short: dict[str, Decimal] = {}
        self._linking = 0
        self._waiting: list[VenueOrder] = []
        self._lock = threading.RLock()

    @contextmanager
    def linking(self) -> Iterator[None]:
        """While orders are sent that the venue names itself, and are known by its answer alone, one that nobody knows
        may be of them: it is looked at once the answer is there."""
        with self._lock:
            self._linking += 1
        try:
            yield
        finally:
            with self._lock:
                self._linking -= 1
                waiting, self._waiting = self._waiting, []
                self.see(waiting)

    def expect(self, *orders: OrderRecord) -> None:
        """The run is about to send these."""
        with self._lock:
            self._ours.update(order.client_order_id for order in orders)

    def send(self, *orders: OrderRecord) -> None:
        """The run is about to send these for the first time; raises `Rejected` for one that it has sent already, since
        not every venue would refuse it."""
        with self._lock:
            for order in orders:
                if order.client_order_id in self._sent:
                    raise Rejected(f"{self._venue}: order {order.client_order_id} was sent before")
            self._sent.update(order.client_order_id for order in orders)
            self._decided.update(dict.fromkeys((order.client_order_id for order in orders), time.time_ns()))
            self.expect(*orders)

    def unsend(self, *orders: OrderRecord) -> None:
        """The venue has not taken these."""
        with self._lock:
            self._sent.difference_update(order.client_order_id for order in orders)

    def recall(self, orders: Iterable[Recalled]) -> None:
        """The run has these from before, each filled as far as its books say."""
        with self._lock:
            for one in orders:
                order = one.order
                self.expect(order)
                if one.decided_at:
                    self._decided[order.client_order_id] = one.decided_at
                if order.venue_order_id is not None:
                    self.name(order.venue_order_id, order.client_order_id)
                    accepted = order.status not in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)
                    filled = order.filled_qty + one.before
                    self._sightings.know(order.venue_order_id, filled, one.value, one.fee, accepted)

    def name(self, venue_order_id: str, client_order_id: str) -> None:
        """The venue knows this order of the run by this id."""
        with self._lock:
            self._names[venue_order_id] = client_order_id
            self._ids[client_order_id] = venue_order_id

    def name_of(self, venue_order_id: str) -> str | None:
        """Whose order the venue knows by this id; None while it has not been seen."""
        return self._names.get(venue_order_id)

    def decided_at(self, order: OrderRecord) -> int | None:
        """When an order was decided on by the wall clock (ns); None where that is not known: its run's clock may show
        any time."""
        return self._decided.get(order.client_order_id)

    def id_of(self, order: OrderRecord) -> str | None:
        """The venue's id of an order, None while it has not been seen there."""
        return self._ids.get(order.client_order_id) or order.venue_order_id

    def find(self, order: OrderRecord, shown: Iterable[VenueOrder]) -> VenueOrder | None:
        """An order among those that the venue shows: by its id, or under the one whose place it took, with its own
        terms."""
        listed = list(shown)
        own = (one for one in listed if one.client_order_id == order.client_order_id)
        taken = (one for one in listed if one.client_order_id == order.replaces and has_terms(one.terms, order))
        return next(own, next(taken, None) if order.replaces else None)

    def unlisted(self, orders: Iterable[VenueOrder]) -> list[str]:
        """The venue's ids of the run's orders that are not among these, and were not over when last seen."""
        with self._lock:
            left = self._names.keys() - {order.venue_order_id for order in orders}
            return [one for one in left if self._names[one] in self._ours and not self._sightings.is_over(one)]

    # A venue that changes an order in place keeps its id, its tag and its quantity.

    def resume(self, orders: Iterable[Recalled]) -> None:
        """Another process may have asked for these of the orders that it has left to be changed in place."""
        for old, by in unsettled(orders):
            self.replace(str(old.order.venue_order_id), old.order, by)

    def replace(self, venue_order_id: str, order: OrderRecord, by: OrderRecord) -> None:
        """The venue is about to be asked to give ``order`` the terms of ``by``; what it shows will tell whether it has.

        It has them: ``order`` is replaced, and what is filled from then on is told of ``by``. It has not within
        `REPLACE_SECONDS`, or ends without: ``by`` is rejected.
        """
        with self._lock:
            self.expect(by)
            self._ids[by.client_order_id] = venue_order_id
            self._replacing[venue_order_id] = _Replacing(order, by, time.monotonic() + REPLACE_SECONDS)

    def keep(self, venue_order_id: str) -> None:
        """The venue was not asked after all, or has refused: the order stays as it is."""
        with self._lock:
            self._replacing.pop(venue_order_id, None)

    def correct(self, order: VenueOrder) -> None:
        """The venue has corrected what it filled of an order before, or taken it back, and shows it as it is now."""
        with self._lock:
            name = self._name_of(order)
            if name in self._ours and order.filled_qty < self._sightings.filled(order.venue_order_id):
                log.error("%s takes back what it filled of order %s: %s are left", self._venue, name, order.filled_qty)
            if name in self._ours:
                self._tell(self._corrected(order, for_sure=True))
            self.see([order])

    def see(self, orders: Iterable[VenueOrder]) -> None:
        """Take what the venue shows; each piece of news is told once."""
        with self._lock:
            for order in orders:
                news = self._news(order)
                if news:
                    self._tell(news)

    def _news(self, order: VenueOrder) -> Sequence[VenueUpdate]:
        replaced = self._replaced(order)
        name = self._name_of(order)
        if name is not None:
            corrected = self._corrected(order) if name in self._ours else ()
            return [*replaced, *corrected, *self._sightings.take(order, name), *self._cut_short(order, name)]
        if self._linking:
            self._waiting.append(order)
            return []
        name = f"{self._venue}-{order.venue_order_id}"
        self.name(order.venue_order_id, name)
        updates = self._sightings.take(order, name)
        if order.is_over:
            # What was over before it was first seen is part of the venue's positions already.
            return []
        reason = f"placed at {self._venue} by other hands"
        if order.reason:
            reason = f"{reason}; {order.reason}"
        return [ExternalOrder(name, order.time, order.terms, order.venue_order_id, reason), *updates]

    def _name_of(self, order: VenueOrder) -> str | None:
        name = self._names.get(order.venue_order_id)
        if name is None and order.client_order_id in self._ours:
            name = order.client_order_id
            self.name(order.venue_order_id, name)
        return name

    def _corrected(self, order: VenueOrder, for_sure: bool = False) -> list[CashUpdate]:
        """The money by which what was told of an order's fills is put right."""
        more = self._sightings.correct(order, for_sure)
        if not more:
            return []
        symbol = order.terms.symbol
        amount = more * instrument_of(symbol).multiplier * (-1 if order.terms.side is Side.BUY else 1)
        reason = f"order {order.venue_order_id} was filled at {order.avg_price.normalize():f} on average after all"
        return [CashUpdate("correction", amount, order.time, symbol, reason)]

    def _replaced(self, order: VenueOrder) -> list[OrderUpdate]:
        asked = self._replacing.get(order.venue_order_id)
        if asked is None:
            return []
        if has_terms(order.terms, asked.by):
            del self._replacing[order.venue_order_id]
            self.name(order.venue_order_id, asked.by.client_order_id)
            left = order.terms.qty - self._sightings.begin_anew(order.venue_order_id)
            if asked.by.qty > left:
                self._short[order.venue_order_id] = asked.by.qty - left
            return [_update(UpdateKind.REPLACED, asked.order, order, "")]
        if order.is_over:
            reason = "the order whose place it was to take is over"
        elif time.monotonic() > asked.give_up:
            reason = f"{self._venue} goes on with the terms of the order whose place it was to take"
        else:
            return []
        del self._replacing[order.venue_order_id]
        return [_update(UpdateKind.REJECTED, asked.by, order, reason)]

    def _cut_short(self, order: VenueOrder, name: str) -> list[OrderUpdate]:
        """The end of an order that can get no more, since the one whose place it took was filled meanwhile."""
        if not order.is_filled or order.venue_order_id not in self._short:
            return []
        short = self._short.pop(order.venue_order_id)
        reason = f"{short.normalize():f} of it had gone to the order whose place it took"
        update = OrderUpdate(UpdateKind.CANCELLED, name, order.time, venue_order_id=order.venue_order_id, reason=reason)
        return [update]


def unsettled(orders: Iterable[Recalled]) -> list[tuple[Recalled, OrderRecord]]:
    """Each order that may have taken another's place at the venue without anybody having heard, after that one."""
    every = {one.order.id: one for one in orders}
    found = [(every.get(one.order.replaces), one.order) for one in every.values() if one.order.venue_order_id is None]
    return [(old, by) for old, by in found if old is not None and old.order.venue_order_id is not None]


def has_terms(terms: OrderRequest, order: OrderRecord) -> bool:
    """Whether these are the terms of ``order``, but for the quantity."""
    return (terms.type, terms.time_in_force, terms.limit_price, terms.stop_price) == (
        order.type,
        order.time_in_force,
        order.limit_price,
        order.stop_price,
    )


def _update(kind: UpdateKind, order: OrderRecord, shown: VenueOrder, reason: str) -> OrderUpdate:
    return OrderUpdate(kind, order.client_order_id, shown.time, venue_order_id=shown.venue_order_id, reason=reason)
