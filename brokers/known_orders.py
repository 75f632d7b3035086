"""Which of a venue's orders are the run's own, and what is new of any of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from brokers.base import Recalled
from brokers.sightings import Sightings, VenueOrder
from trading.engine.orders import OrderRecord, OrderStatus
from trading.engine.updates import ExternalOrder, VenueUpdate


class KnownOrders:
    """Turns what a venue shows into updates of the run's orders; safe to use from several threads.

    An order is the run's own by its client order id, or by a venue's id that was taken for it (`name`); any other comes
    in as external, under a name made of venue and id.
    """

    def __init__(self, venue: str, tell: Callable[[Sequence[VenueUpdate]], None]) -> None:
        self._venue = venue
        self._tell = tell
        self._ours: set[str] = set()
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._sightings = Sightings()
        self._lock = threading.RLock()

    def expect(self, *orders: OrderRecord) -> None:
        """The run is about to send these."""
        with self._lock:
            self._ours.update(order.client_order_id for order in orders)

    def recall(self, orders: Iterable[Recalled]) -> None:
        """The run has these from before, each filled as far as its books say."""
        with self._lock:
            for one in orders:
                order = one.order
                self.expect(order)
                if order.venue_order_id is not None:
                    self.name(order.venue_order_id, order.client_order_id)
                    accepted = order.status not in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)
                    self._sightings.know(order.venue_order_id, order.filled_qty, one.value, one.fee, accepted)

    def name(self, venue_order_id: str, client_order_id: str) -> None:
        """The venue knows this order of the run by this id."""
        with self._lock:
            self._names[venue_order_id] = client_order_id
            self._ids[client_order_id] = venue_order_id

    def id_of(self, order: OrderRecord) -> str | None:
        """The venue's id of an order, None while it has not been seen there."""
        return self._ids.get(order.client_order_id) or order.venue_order_id

    def see(self, orders: Iterable[VenueOrder]) -> None:
        """Take what the venue shows; each piece of news is told once."""
        with self._lock:
            for order in orders:
                news = self._news(order)
                if news:
                    self._tell(news)

    def _news(self, order: VenueOrder) -> Sequence[VenueUpdate]:
        name = self._names.get(order.venue_order_id)
        if name is None and order.client_order_id in self._ours:
            name = order.client_order_id
            self.name(order.venue_order_id, name)
        if name is not None:
            return self._sightings.take(order, name)
        name = f"{self._venue}-{order.venue_order_id}"
        self.name(order.venue_order_id, name)
        updates = self._sightings.take(order, name)
        if order.is_over:
            # What was over before it was first seen is part of the venue's positions already.
            return []
        reason = f"placed at {self._venue} by other hands"
        return [ExternalOrder(name, order.time, order.terms, order.venue_order_id, reason), *updates]
