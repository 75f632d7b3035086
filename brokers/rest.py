"""The template of a venue with a REST interface: a new one says how its orders, positions and account read.

It polls the venue's orders each second, takes nothing for done that the venue has not shown, and sends nothing twice: a
POST whose answer is lost or unreadable leaves the order unknown until the venue shows it.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from brokers.asked_once import SHARED, asked_once
from brokers.base import STARTING_CASH, Recalled, VenueAccount, VenueFill, VenuePosition
from brokers.known_orders import KnownOrders, has_terms
from brokers.listing import Unreadable, listed
from brokers.pacing import RateLimit
from brokers.rest_calls import TIMEOUT, RestCalls
from brokers.sightings import VenueOrder, execution_name
from brokers.threaded import ThreadedBrokerage
from trading.engine.bars import to_nanos
from trading.engine.errors import Fatal, Rejected, Transient, Unknown, VenueError
from trading.engine.orders import OrderRecord
from trading.engine.updates import OrderUpdate, UpdateKind

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
#: Without a good poll for so long, the venue's word on orders counts as missing.
STALE_SECONDS: Final = 5.0


class RestBrokerage(RestCalls, ThreadedBrokerage):
    """What a new venue overrides: `_order_payload`, `_parse_order` (and `_rows` where a list of orders is more than a
    list), `_parse_positions`, `_parse_account`, and the four paths below ``base_url``. One that links orders overrides
    `_linked_payload`, one that changes an order in place `_replace_payload`.
    """

    _orders_path: str = "/orders"
    _positions_path: str = "/positions"
    _account_path: str = "/account"

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        limit: RateLimit | None = None,
        poll_seconds: float = POLL_SECONDS,
        starting_cash: Decimal | float = STARTING_CASH,
        order_limit: RateLimit | None = None,
    ) -> None:
        ThreadedBrokerage.__init__(self, starting_cash)
        RestCalls.__init__(self, base_url, headers, limit or RateLimit(60, 60.0), order_limit)
        self._poll_seconds = poll_seconds
        self._known = KnownOrders(self.venue, self.tell)
        self._seen_at = 0.0
        self._closing = threading.Event()
        self._poller: threading.Thread | None = None

    # What a venue says about itself.

    @abstractmethod
    def _order_payload(self, order: OrderRecord) -> dict[str, Any]:
        """The body that places this order, with its client order id; raises `Rejected` for what the venue has not."""

    @abstractmethod
    def _parse_order(self, row: Any) -> VenueOrder:
        """One order as the venue shows it; raises ValueError, KeyError or TypeError for what cannot be read."""

    def _rows(self, body: Any) -> Sequence[Any]:
        """The orders of a list, one by one."""
        return list(body)

    def _linked_payload(self, order: OrderRecord, linked: Sequence[OrderRecord]) -> dict[str, Any]:
        """The body that places an order with those that depend on it; raises `Rejected` for what the venue has not."""
        raise Rejected(f"{self.venue}: linked orders are not offered; send them one by one")

    def _replace_payload(self, order: OrderRecord, by: OrderRecord) -> dict[str, Any]:
        """The body that gives ``order`` the terms of ``by`` while it stays the same order at the venue; raises
        `Rejected` for what the venue has not."""
        raise Rejected(f"{self.venue}: replacing an order is not offered; cancel it and send another")

    @abstractmethod
    def _parse_positions(self, body: Any) -> list[VenuePosition]: ...

    @abstractmethod
    def _parse_account(self, body: Any) -> VenueAccount: ...

    def _order_detail_path(self, venue_order_id: str) -> str:
        return f"{self._orders_path}/{venue_order_id}"

    def _placed_id(self, body: Any) -> str:
        """The venue's id in its answer to a new order; raises `Rejected` where the answer is a refusal after all."""
        return str(self._parse_order(body).venue_order_id)

    # The interface.

    @property
    def updates_healthy(self) -> bool:
        return time.monotonic() - self._seen_at < STALE_SECONDS

    def recall(self, orders: Sequence[Recalled]) -> None:
        self._known.recall(orders)
        self._known.resume(orders)

    def connect(self) -> None:
        self.query_account()
        self._poll()
        self._poller = threading.Thread(target=self._keep_polling, name=f"{self.venue} orders", daemon=True)
        self._poller.start()

    def close(self) -> None:
        self._closing.set()
        if self._poller is not None:
            self._poller.join(TIMEOUT[1])
        self._session.close()

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        payload = self._linked_payload(order, linked) if linked else self._order_payload(order)
        self._known.send(order, *linked)
        try:
            body = self._send("POST", self._orders_path, payload, lambda: self.let_go(order, *linked))
        except (Rejected, Transient):
            self._known.unsend(order, *linked)
            raise
        try:
            venue_order_id = self._placed_id(body)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise Unknown(f"{self.venue} gave an answer that cannot be read: {error!r}") from error
        if not linked:
            self._known.name(venue_order_id, order.client_order_id)

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        payload = self._replace_payload(order, by)
        venue_order_id = self._id_of(order)
        self._known.replace(venue_order_id, order, by)
        try:
            self._send("PUT", self._order_detail_path(venue_order_id), payload, lambda: self.let_go(by))
        except (Rejected, Transient, Fatal):
            self._known.keep(venue_order_id)
            raise
        with suppress(VenueError):
            # That it was received does not say that it was taken: what the venue shows does, now or with the next poll.
            self._known.see([self._detail(venue_order_id)])

    def cancel_order(self, order: OrderRecord) -> None:
        venue_order_id = self._id_of(order)
        try:
            self._call("DELETE", self._order_detail_path(venue_order_id), pace=self._order_limit.count)
        except Rejected as error:
            # It may be over already, or still be open: what the venue shows decides.
            shown = self._detail(venue_order_id)
            self._known.see([shown])
            if not shown.is_over:
                now = to_nanos(datetime.now(UTC))
                self.tell([OrderUpdate(UpdateKind.CANCEL_REFUSED, order.client_order_id, now, reason=str(error))])

    def _id_of(self, order: OrderRecord) -> str:
        venue_order_id = self._known.id_of(order)
        if venue_order_id is None:
            raise Transient(f"{self.venue} has not shown order {order.client_order_id} yet")
        return venue_order_id

    def _detail(self, venue_order_id: str) -> VenueOrder:
        """One order as the venue shows it; it is not asked late, since others wait for what it says."""
        body = self._call("GET", self._order_detail_path(venue_order_id), pace=self._limit.count)
        return self._read(self._parse_order, body)

    def cancel_all(self) -> int:
        """Every open order that can be read is asked for; what stood in the way of any is raised after that."""
        trouble: VenueError | None = None
        try:
            shown: Sequence[VenueOrder] = self.query_open_orders()
        except Unreadable as error:
            shown, trouble = [order for order in error.shown if not order.is_over], error
        for order in shown:
            try:
                self.withdraw(order)
            except VenueError as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return len(shown)

    def withdraw(self, shown: VenueOrder) -> None:
        with suppress(Rejected):
            # It may be over already: what the venue shows next decides.
            self._call("DELETE", self._order_detail_path(shown.venue_order_id), pace=self._order_limit.count)

    def query_open_orders(self) -> list[VenueOrder]:
        return [order for order in self._listed(self._limit.count) if not order.is_over]

    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        venue_order_id = self._known.id_of(order)
        if venue_order_id is None:
            return self._known.find(order, self._listed(self._limit.count))
        try:
            shown = self._detail(venue_order_id)
        except Rejected:
            return None
        return None if order.replaces and not has_terms(shown.terms, order) else shown

    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        """The orders that the venue lists and that have changed since."""
        return [order for order in self._listed() if since is None or order.time >= since]

    def _listed(self, pace: Callable[[], None] | None = None, age: float = 0.0) -> list[VenueOrder]:
        """What the venue lists, or has listed ``age`` seconds ago for another session of the account."""
        question = (self._door, self._orders_path)
        body = asked_once(question, age, lambda: self._call("GET", self._orders_path, pace=pace))
        return listed(self.venue, self._read(self._rows, body), self._parse_order)

    def query_fills(self, since: int) -> list[VenueFill]:
        """Each order's fills in one, by its sums: a venue that lists its executions says how."""
        filled = [order for order in self.query_orders(since) if order.filled_qty and order.time >= since]
        return [
            VenueFill(
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                execution_id=execution_name(order.venue_order_id, order.filled_qty),
                symbol=order.terms.symbol,
                side=order.terms.side,
                qty=order.filled_qty,
                price=order.avg_price,
                fee=order.fee,
                time=order.time,
            )
            for order in sorted(filled, key=lambda order: order.time)
        ]

    def query_positions(self) -> list[VenuePosition]:
        return self._read(self._parse_positions, self._call("GET", self._positions_path))

    def query_account(self) -> VenueAccount:
        return self._read(self._parse_account, self._call("GET", self._account_path))

    # What the venue shows.

    def _keep_polling(self) -> None:
        while not self._closing.wait(self._poll_seconds):
            try:
                self._poll(self._poll_seconds * SHARED)
            except VenueError as error:
                log.warning("%s does not show its orders: %s", self.venue, error)
            except Exception:
                # Without this thread nobody would hear the venue again; its silence counts as missing updates.
                log.exception("what %s shows of its orders could not be taken", self.venue)

    def _poll(self, age: float = 0.0) -> None:
        """Take what the venue lists, and the run's own orders that it lists no longer."""
        try:
            shown = self._listed(age=age)
        except Unreadable as error:
            self._known.see(error.shown)
            raise
        self._known.see(shown)
        for venue_order_id in self._known.unlisted(shown):
            with suppress(Rejected):
                self._known.see([self._detail(venue_order_id)])
        was_down = not self.updates_healthy
        self._seen_at = time.monotonic()
        if was_down:
            self.came_up()
