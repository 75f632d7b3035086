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
from typing import Any, ClassVar, Final, TypeVar

import requests

from brokers.base import STARTING_CASH, Recalled, VenueAccount, VenueFill, VenuePosition
from brokers.known_orders import KnownOrders
from brokers.pacing import RateLimit
from brokers.sightings import VenueOrder, execution_name
from brokers.threaded import ThreadedBrokerage
from trading.engine.bars import to_nanos
from trading.engine.errors import Fatal, Rejected, Transient, Unknown, VenueError
from trading.engine.orders import OrderRecord
from trading.engine.updates import OrderUpdate, UpdateKind

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds to connect and to answer.
TIMEOUT: Final = (3.0, 10.0)
POLL_SECONDS: Final = 1.0
#: Without a good poll for so long, the venue's word on orders counts as missing.
STALE_SECONDS: Final = 5.0

_OK: Final = range(200, 300)


class RestBrokerage(ThreadedBrokerage):
    """What a new venue overrides: `_order_payload`, `_parse_order` (and `_parse_orders` where a list is more than a
    list of those), `_parse_positions`, `_parse_account`, and the four paths below ``base_url``.

    ``form`` says whether bodies are sent as forms rather than as JSON.
    """

    form: ClassVar[bool] = False
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
    ) -> None:
        super().__init__(starting_cash)
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()
        self._session.headers.update(headers)
        self._limit = limit or RateLimit(60, 60.0)
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

    def _parse_orders(self, body: Any) -> list[VenueOrder]:
        return [self._parse_order(row) for row in body]

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

    def connect(self) -> None:
        self.query_account()
        self._poll()
        self.came_up()
        self._poller = threading.Thread(target=self._keep_polling, name=f"{self.venue} orders", daemon=True)
        self._poller.start()

    def close(self) -> None:
        self._closing.set()
        if self._poller is not None:
            self._poller.join(TIMEOUT[1])
        self._session.close()

    def submit_order(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        if linked:
            raise Rejected(f"{self.venue}: linked orders are not offered; send them one by one")
        payload = self._order_payload(order)
        self._known.expect(order)
        body = self._send("POST", self._orders_path, payload, self._pace_of(order))
        try:
            venue_order_id = self._placed_id(body)
        except (LookupError, TypeError, ValueError) as error:
            raise Unknown(f"{self.venue} gave an answer that cannot be read: {error}") from error
        self._known.name(venue_order_id, order.client_order_id)

    def replace_order(self, order: OrderRecord, by: OrderRecord) -> None:
        raise Rejected(f"{self.venue}: replacing an order is not offered; cancel it and send another")

    def cancel_order(self, order: OrderRecord) -> None:
        venue_order_id = self._known.id_of(order)
        if venue_order_id is None:
            raise Transient(f"{self.venue} has not shown order {order.client_order_id} yet")
        try:
            self._call("DELETE", self._order_detail_path(venue_order_id), pace=self._limit.count)
        except Rejected as error:
            # It may be over already, or still be open: what the venue shows decides.
            self._look(venue_order_id, order, str(error))

    def _look(self, venue_order_id: str, order: OrderRecord, reason: str) -> None:
        shown = self._parse_one(self._call("GET", self._order_detail_path(venue_order_id), pace=self._limit.count))
        self._known.see([shown])
        if not shown.is_over:
            now = to_nanos(datetime.now(UTC))
            self.tell([OrderUpdate(UpdateKind.CANCEL_REFUSED, order.client_order_id, now, reason=reason)])

    def cancel_all(self) -> int:
        shown = self.query_open_orders()
        for order in shown:
            self._withdraw(order)
        return len(shown)

    def withdraw(self, shown: VenueOrder) -> None:
        with suppress(Rejected):
            # It may be over already: what the venue shows next decides.
            self._withdraw(shown)

    def _withdraw(self, shown: VenueOrder) -> None:
        self._call("DELETE", self._order_detail_path(shown.venue_order_id), pace=self._limit.count)

    def query_open_orders(self) -> list[VenueOrder]:
        return [order for order in self.query_orders() if not order.is_over]

    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        if order.venue_order_id is None:
            found = (shown for shown in self.query_orders() if shown.client_order_id == order.client_order_id)
            return next(found, None)
        try:
            return self._parse_one(self._call("GET", self._order_detail_path(order.venue_order_id)))
        except Rejected:
            return None

    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        """The orders that the venue lists, whenever they were made: a venue that lists them by time says how."""
        return self._read(self._parse_orders, self._call("GET", self._orders_path))

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
                self._poll()
            except VenueError as error:
                log.warning("%s does not show its orders: %s", self.venue, error)

    def _poll(self) -> None:
        self._known.see(self.query_orders())
        self._seen_at = time.monotonic()

    # Calls.

    def _pace_of(self, order: OrderRecord) -> Callable[[], None]:
        """What precedes an order: the limit is waited for, and then it must still be allowed to leave."""

        def pace() -> None:
            self._limit.wait()
            self.let_go(order)

        return pace

    def _send(self, method: str, path: str, payload: Mapping[str, Any], pace: Callable[[], None]) -> Any:
        """A call that changes something: where it is not sure that it failed, it is unknown."""
        return self._call(method, path, payload, pace)

    def _call(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None = None,
        pace: Callable[[], None] | None = None,
    ) -> Any:
        """One request. ``pace`` is called right before it: by default the limit is waited for."""
        (pace or self._limit.wait)()
        changes = method in ("POST", "PUT", "PATCH")
        body: dict[str, Any] = {} if payload is None else {"data" if self.form else "json": payload}
        try:
            answer = self._session.request(method, self.base_url + path, timeout=TIMEOUT, **body)
        except requests.ConnectTimeout as error:
            raise Transient(f"{self.venue} cannot be reached: {error}") from error
        except requests.RequestException as error:
            raise (Unknown if changes else Transient)(f"{self.venue} did not answer: {error}") from error
        self._limit.hear(answer.headers)
        if answer.status_code not in _OK:
            raise self._error_of(answer, changes)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            wrong = f"{self.venue} gave an answer that cannot be read: {answer.text[:200]!r}"
            raise (Unknown if changes else Transient)(wrong) from error

    def _error_of(self, answer: requests.Response, changes: bool) -> VenueError:
        """The error for an answer that is none of success, by the reaction that it needs."""
        status, text = answer.status_code, answer.text[:300].strip()
        said = f"{self.venue} answered {status}: {text}"
        if status in (401, 403) and not self._is_about_an_order(answer):
            return Fatal(f"{said}. {self._credentials_hint()}")
        if status == 429:
            return Transient(said)
        if status >= 500:
            return Unknown(said) if changes else Transient(said)
        return Rejected(said)

    def _is_about_an_order(self, answer: requests.Response) -> bool:
        """Whether an answer that reads like wrong credentials is about the order that was asked for."""
        return False

    def _credentials_hint(self) -> str:
        """Which variables to set."""
        return f"Check the ALPHASWARM_{self.venue.upper()}_ variables, or what the recipe gives."

    def _parse_one(self, body: Any) -> VenueOrder:
        return self._read(self._parse_order, body)

    def _read(self, parse: Callable[[Any], T], body: Any) -> T:
        try:
            return parse(body)
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise Transient(f"{self.venue} gave an answer that cannot be read: {error!r}") from error
