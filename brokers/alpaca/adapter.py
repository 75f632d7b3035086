"""Alpaca as a brokerage: REST, its order events, and polling beside them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from brokers.addresses import check_paper
from brokers.alpaca import mapping, pages
from brokers.alpaca.terms import DUPLICATE_ID, HINT, NOT_FOUND, Refusal
from brokers.asked_once import SHARED, asked_once
from brokers.base import STARTING_CASH, Recalled, VenueAccount, VenueClock, VenueFill, VenuePosition
from brokers.known_orders import KnownOrders
from brokers.listing import Unreadable
from brokers.pacing import RateLimit, shared
from brokers.reading import read
from brokers.sightings import VenueOrder
from brokers.threaded import ThreadedBrokerage
from trading.engine.bars import to_nanos
from trading.engine.errors import Fatal, Rejected, Transient, Unknown, VenueError
from trading.engine.orders import OrderRecord
from trading.engine.updates import OrderUpdate, UpdateKind

if TYPE_CHECKING:
    from brokers.alpaca.wire import Rest, Stream

log = logging.getLogger(__name__)

#: Nanoseconds by which the venue's clock may be behind this machine's, and after which it lists all that it has told.
_CLOCKS_DIFFER: Final = 60_000_000_000
_LISTED_LATE: Final = 5_000_000_000
LIVE_URL: Final = "https://api.alpaca.markets"
CALLS_PER_MINUTE: Final = 200
_FIRST_EVENTS_SECONDS: Final = 15.0
#: Without a good look at the venue's list for so long, its word on orders counts as missing.
STALE_SECONDS: Final = 5.0
#: How often an order whose answer was lost is looked for before it is called unknown, and the pause between.
_LOOKS: Final = 3
_LOOK_SECONDS: Final = 0.3


class AlpacaBrokerage(ThreadedBrokerage):
    """Stocks, options and crypto at Alpaca. ``paper`` means its paper account; ``base_url`` and
    ``stream_url`` put others in its place (``data_url`` is the feed's, and taken so that one set of names serves both).

    The client order id is unique at Alpaca, so an order whose answer was lost is looked for by it and adopted. Events
    come by a socket; whatever happened while it was down is asked for as soon as it is up again, before an order may
    leave.
    """

    venue = "alpaca"

    def __init__(
        self,
        api_key: str = "",
        secret_key: str = "",
        paper: bool = True,
        base_url: str = "",
        stream_url: str = "",
        data_url: str = "",
        poll_seconds: float = 2.0,
        starting_cash: Decimal | float = STARTING_CASH,
        calls_per_minute: int = CALLS_PER_MINUTE,
    ) -> None:
        check_paper(paper, base_url, LIVE_URL)
        super().__init__(starting_cash)
        self.live = not paper
        self._credentials = (api_key, secret_key, paper)
        self._urls = (base_url, stream_url)
        self._poll_seconds = poll_seconds
        self._calls_per_minute = calls_per_minute
        self._known = KnownOrders(self.venue, self.tell)
        self._linked: dict[str, Sequence[OrderRecord]] = {}
        self._since = to_nanos(datetime.now(UTC)) - _CLOCKS_DIFFER
        self._seen_at = 0.0
        self._closing = threading.Event()
        self._poller: threading.Thread | None = None
        self._rest: Rest | None = None
        self._stream: Stream | None = None

    # The connection.

    @property
    def updates_healthy(self) -> bool:
        """Whether events flow, and what the venue lists can be read."""
        is_up = self._stream is not None and self._stream.up
        return is_up and time.monotonic() - self._seen_at < STALE_SECONDS

    def reach(self) -> None:
        if not all(self._credentials[:2]):
            raise Fatal(f"alpaca: no credentials. {HINT}")
        # The client library takes a second and a hundred megabytes, and a process that never trades here needs neither.
        from brokers.alpaca.wire import Rest

        door = (self.venue, self._urls[0], self._credentials, self._calls_per_minute)
        limit = shared(door, RateLimit(self._calls_per_minute, 60.0))
        self._rest = Rest(*self._credentials, self._urls[0], limit)

    def connect(self) -> None:
        self.reach()
        from brokers.alpaca.wire import Stream

        self.query_account()
        self._stream = Stream(*self._credentials, self._urls[1], self._on_event, self._come_up)
        self._stream.start()
        give_up = time.monotonic() + _FIRST_EVENTS_SECONDS
        while not self._stream.up:
            if time.monotonic() > give_up:
                self._stream.close_now()
                raise Transient("alpaca's order events do not come up")
            time.sleep(0.01)
        self._poller = threading.Thread(target=self._keep_polling, name="alpaca orders", daemon=True)
        self._poller.start()

    def close(self) -> None:
        self._closing.set()
        if self._stream is not None:
            self._stream.close_now()
        if self._poller is not None:
            self._poller.join(self._poll_seconds + 1)
        if self._rest is not None:
            self._rest.close()

    def recall(self, orders: Sequence[Recalled]) -> None:
        self._known.recall(orders)
        for one in orders:
            first = one.order.parent_id or one.order.group
            if first and first != one.order.id:
                self._linked[first] = [*self._linked.get(first, ()), one.order]
        self._since = min([self._since, *(max(0, one.decided_at - _CLOCKS_DIFFER) for one in orders)])

    # Orders.

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        body = mapping.payload(order, linked)
        self._known.expect(order)
        if not linked:
            self._send("POST", "/orders", body, order)
            return
        self._linked[order.client_order_id] = linked
        with self._known.linking():
            self._send("POST", "/orders", body, order, *linked)

    def _send(self, method: str, path: str, body: dict[str, Any], order: OrderRecord, *linked: OrderRecord) -> None:
        """Make the call that brings an order to the venue with those linked to it, and adopt what comes of it."""
        try:
            row = self._call(method, path, body, let_go=lambda: self.let_go(order, *linked))
        except Refusal as refusal:
            if refusal.code != DUPLICATE_ID:
                raise
            # It is there already: an answer to this very order was lost.
            row = self._found(order, Unknown(str(refusal)))
        except Unknown as error:
            row = self._found(order, error)
        self._adopt(row, order)

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        venue_order_id = self._id_of(order)
        if order.filled_qty or self._look(venue_order_id).filled_qty:
            # How much of it the successor would be for is told in one way by the documents, in another by users.
            raise Rejected("alpaca: an order that is filled in part is not replaced; cancel it and send another")
        self._known.expect(by)
        self._send("PATCH", f"/orders/{venue_order_id}", mapping.changes(by), by)
        with suppress(VenueError):
            # The successor is there: what became of the old order is told by this, by an event or by the next list.
            self._look(venue_order_id)

    def _name_legs(self, rows: Sequence[dict[str, Any]]) -> None:
        """Alpaca names the legs of linked orders itself, and shows whose they are below their order alone."""
        for row in rows:
            linked = self._linked.get(str(row["client_order_id"]), ())
            for venue_order_id, name in mapping.names_of_legs(row, linked).items():
                self._known.name(venue_order_id, name)

    def _adopt(self, row: Any, order: OrderRecord) -> None:
        try:
            self._known.name(str(row["id"]), order.client_order_id)
            self._name_legs([row])
            self._known.see(map(mapping.order_of, mapping.rows_of([row])))
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise Unknown(f"alpaca gave an answer that cannot be read: {error!r}") from error

    def _found(self, order: OrderRecord, error: VenueError) -> Any:
        """The order whose answer was lost, by its client order id; raises `Unknown` while it is not to be seen."""
        for _ in range(_LOOKS):
            try:
                return self._find(order)
            except VenueError:
                if self._closing.wait(_LOOK_SECONDS):
                    break
        raise error

    def _find(self, order: OrderRecord) -> Any:
        """An order that is known by our name alone; raises a `Refusal` where the venue has none."""
        first = order.parent_id or order.group
        try:
            return self._named(order.client_order_id)
        except Refusal as refusal:
            if refusal.code != NOT_FOUND or first in ("", order.client_order_id):
                raise
        # It has gone as a leg of another.
        found = read(self.venue, lambda row: str(row["id"]), self._named(first))
        whole = self._call("GET", f"/orders/{found}", {"nested": "true"}, urgent=True)
        leg = read(self.venue, lambda row: mapping.leg_of(row, order), whole)
        if leg is None:
            raise Transient(f"alpaca shows order {first} without its leg {order.client_order_id}")
        return leg

    def _named(self, client_order_id: str) -> Any:
        # The cancel of an order whose answer was lost waits for it.
        return self._call("GET", "/orders:by_client_order_id", {"client_order_id": client_order_id}, urgent=True)

    def cancel_order(self, order: OrderRecord) -> None:
        venue_order_id = self._id_of(order)
        try:
            self._call("DELETE", f"/orders/{venue_order_id}", urgent=True)
        except Rejected as refusal:
            # It may be over already, or still be open: what the venue shows decides.
            if not self._look(venue_order_id).is_over:
                now = to_nanos(datetime.now(UTC))
                update = OrderUpdate(UpdateKind.CANCEL_REFUSED, order.client_order_id, now, reason=str(refusal))
                self.tell([update])

    def cancel_all(self) -> int:
        return len(self._call("DELETE", "/orders", urgent=True) or ())

    def withdraw(self, shown: VenueOrder) -> None:
        with suppress(Rejected):
            # It may be over already: what the venue shows next decides.
            self._call("DELETE", f"/orders/{shown.venue_order_id}", urgent=True)

    def _id_of(self, order: OrderRecord) -> str:
        venue_order_id = self._known.id_of(order)
        if venue_order_id is None:
            venue_order_id = str(self._find(order)["id"])
            self._known.name(venue_order_id, order.client_order_id)
        return venue_order_id

    def _look(self, venue_order_id: str) -> VenueOrder:
        """Ask for one order and take what is new of it."""
        shown = read(self.venue, mapping.order_of, self._call("GET", f"/orders/{venue_order_id}", urgent=True))
        self._known.see([shown])
        return shown

    # The venue's books.

    def query_open_orders(self) -> list[VenueOrder]:
        return [order for order in pages.orders(self._call, {"status": "open"}, urgent=True) if not order.is_over]

    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        try:
            known = order.venue_order_id
            row = self._find(order) if known is None else self._call("GET", f"/orders/{known}", urgent=True)
        except Refusal as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return None
        return read(self.venue, mapping.order_of, row)

    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        after = {} if since is None else {"after": mapping.instant(since)}
        return pages.orders(self._call, {"status": "all", **after}, urgent=True)

    def query_fills(self, since: int) -> list[VenueFill]:
        return pages.fills(self._call, since)

    def query_positions(self) -> list[VenuePosition]:
        rows = self._call("GET", "/positions")
        return read(self.venue, lambda found: [mapping.position_of(row) for row in found], rows)

    def query_account(self) -> VenueAccount:
        return read(self.venue, mapping.account_of, self._call("GET", "/account"))

    def query_clock(self) -> VenueClock:
        return read(self.venue, mapping.clock_of, self._call("GET", "/clock"))

    # What the venue shows.

    def _on_event(self, data: dict[str, Any]) -> None:
        order = mapping.order_of(data["order"])
        if data.get("event") in mapping.CORRECTIONS:
            self._known.correct(order)
        else:
            self._known.see([order])

    def _come_up(self) -> None:
        self._reconcile()
        self.came_up()

    def _reconcile(self, age: float = 0.0) -> None:
        """Take all orders that are open and all made since the last good look, and ask for each of the run's that was
        open then and is in neither list. The lists may be those of another session of the account, ``age`` seconds old.
        """
        began = to_nanos(datetime.now(UTC))
        shown: list[VenueOrder] = []
        trouble: Unreadable | None = None
        # In steps, so that sessions ask the same.
        since = mapping.instant(self._since - self._since % _LISTED_LATE)
        for query in ({"status": "open"}, {"status": "all", "after": since}):
            try:
                shown += pages.orders(self._asked_once(age), query, hear=self._name_legs)
            except Unreadable as error:
                shown += error.shown
                trouble = error
        self._known.see(shown)
        if trouble is not None:
            raise trouble
        for venue_order_id in self._known.unlisted(shown):
            with suppress(Rejected):
                self._look(venue_order_id)
        latest = max((one.time for one in shown), default=0)
        self._since = max(self._since, latest - _LISTED_LATE, began - _CLOCKS_DIFFER)
        self._seen_at = time.monotonic()

    def _asked_once(self, age: float) -> Callable[..., Any]:
        def call(method: str, path: str, query: dict[str, Any], **how: Any) -> Any:
            question = (self._urls, self._credentials, path, *sorted(query.items()))
            return asked_once(question, age, lambda: self._call(method, path, query, **how))

        return call

    def _keep_polling(self) -> None:
        while not self._closing.wait(self._poll_seconds):
            try:
                self._reconcile(self._poll_seconds * SHARED)
            except VenueError as error:
                log.warning("alpaca does not show its orders: %s", error)
            except Exception:
                # Without this thread nobody would make up for a lost event; its silence counts as missing updates.
                log.exception("what alpaca shows of its orders could not be taken")

    def _call(self, method: str, path: str, data: dict[str, Any] | None = None, **how: Any) -> Any:
        """One request, see `brokers.alpaca.wire.Rest.call`."""
        if self._rest is None:
            raise Transient("alpaca is not connected")
        return self._rest.call(method, path, data, **how)
