"""Tradier as a brokerage: REST by form, the account's event socket as a bell, polling each second as the fallback."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from brokers.addresses import check_paper
from brokers.base import STARTING_CASH, NotOffered, VenueAccount, VenueClock, VenuePosition
from brokers.pacing import RateLimit
from brokers.rest import RestBrokerage
from brokers.sightings import VenueOrder
from brokers.tradier import mapping
from trading.engine.bars import to_datetime, to_nanos
from trading.engine.errors import Fatal, Transient, Unknown, VenueError
from trading.engine.orders import OrderRecord

log = logging.getLogger(__name__)

LIVE_URL: Final = "https://api.tradier.com/v1"
STREAM_URL: Final = "wss://ws.tradier.com/v1/accounts/events"
SANDBOX_URL: Final = "https://sandbox.tradier.com/v1"
_EVENTS_PATH: Final = "/accounts/events/session"
_ZONE: Final = ZoneInfo("America/New_York")
#: Nanoseconds by which the clock that an order was decided by may differ from the venue's.
_CLOCKS_DIFFER: Final = 60_000_000_000
_RECONNECT_SECONDS: Final = 2.0
_LEAVE_SECONDS: Final = 2.0
#: Heartbeats come each minute.
_SILENCE_SECONDS: Final = 150.0
_LISTEN_SECONDS: Final = 0.25
#: How many times as long the pause between two polls is while events come: the calls are needed for orders.
_RELAXED: Final = 3


class TradierBrokerage(RestBrokerage):
    """Stocks and single options at Tradier. ``paper`` means its sandbox; ``base_url`` puts another in its place.

    An order's events carry neither symbol nor side and may be lost, so an event only rings: the order is read at once.
    """

    venue = "tradier"
    form = True

    def __init__(
        self,
        token: str = "",
        account_id: str = "",
        paper: bool = True,
        base_url: str = "",
        stream_url: str = "",
        poll_seconds: float = 1.0,
        starting_cash: Decimal | float = STARTING_CASH,
    ) -> None:
        check_paper(paper, base_url, LIVE_URL)
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        base = (base_url or (SANDBOX_URL if paper else LIVE_URL)).rstrip("/")
        limits = RateLimit(60 if paper else 120, 60.0), RateLimit(60, 60.0)
        super().__init__(base, headers, limits[0], poll_seconds, starting_cash, limits[1])
        account = f"/accounts/{account_id}"
        self._orders_path = f"{account}/orders?includeTags=true"
        self._positions_path = f"{account}/positions"
        self._account_path = f"{account}/balances"
        self._order_path = f"{account}/orders"
        self.live = not paper
        self._has_credentials = bool(token and account_id)
        self._stream_url = stream_url
        self._listener: threading.Thread | None = None
        self._clock: tuple[int, int] | None = None

    # What a venue says about itself.

    def _order_detail_path(self, venue_order_id: str) -> str:
        return f"{self._order_path}/{venue_order_id}?includeTags=true"

    def _order_payload(self, order: OrderRecord) -> dict[str, Any]:
        return mapping.payload(order)

    def _linked_payload(self, order: OrderRecord, linked: Sequence[OrderRecord]) -> dict[str, Any]:
        return mapping.linked_payload(order, linked)

    def _replace_payload(self, order: OrderRecord, by: OrderRecord) -> dict[str, Any]:
        return mapping.replace_payload(order, by)

    def _parse_order(self, row: Any) -> VenueOrder:
        return mapping.order_of(row.get("order", row))

    def _rows(self, body: Any) -> Sequence[Any]:
        return mapping.rows_of(body)

    def _parse_positions(self, body: Any) -> list[VenuePosition]:
        return [mapping.position_of(row) for row in mapping.some(body, "positions", "position")]

    def _parse_account(self, body: Any) -> VenueAccount:
        return mapping.account_of(body["balances"])

    # Where Tradier is unlike the template.

    def query_orders(self, since: int | None = None) -> list[VenueOrder]:
        """Those of today in New York, and those of before that the run follows: Tradier lists no others."""
        if since is not None and since < self._today():
            raise NotOffered("tradier lists the orders of the current day in New York alone")
        return super().query_orders(since)

    def query_order(self, order: OrderRecord) -> VenueOrder | None:
        shown = super().query_order(order)
        if shown is None and order.venue_order_id is None:
            decided_at = self._known.decided_at(order)
            if decided_at is None or decided_at < self._today() + _CLOCKS_DIFFER:
                raise Transient(
                    f"tradier does not list the orders of earlier days; whether it has {order.id} cannot be told"
                )
        return shown

    def _today(self) -> int:
        """The beginning of the day in New York (ns) by the venue's own clock, which is asked once and counted on from
        there: this machine's may be wrong, and may be set."""
        if self._clock is None:
            body = self._call("GET", "/markets/clock", pace=self._limit.count)
            self._clock = self._read(lambda body: mapping.clock_of(body["clock"]), body).time, time.monotonic_ns()
        told, at = self._clock
        now = to_datetime(told + time.monotonic_ns() - at).astimezone(_ZONE)
        return to_nanos(now.replace(hour=0, minute=0, second=0, microsecond=0))

    def query_clock(self) -> VenueClock:
        return self._read(lambda body: mapping.clock_of(body["clock"]), self._call("GET", "/markets/clock"))

    def reach(self) -> None:
        if not self._has_credentials:
            raise Fatal(f"tradier: no credentials. {self._credentials_hint()}")

    def connect(self) -> None:
        self.reach()
        super().connect()
        self._listener = threading.Thread(target=self._listen, name="tradier events", daemon=True)
        self._listener.start()

    def close(self) -> None:
        super().close()
        if self._listener is not None:
            self._listener.join(_LEAVE_SECONDS)

    def _refusal(self, said: Any) -> str:
        return _said(said["errors"]) if isinstance(said, dict) and "errors" in said else ""

    def _placed_id(self, body: Any) -> str:
        if body["order"]["status"] != "ok":
            raise Unknown(f"tradier answered {body['order']['status']!r} to a new order")
        return str(body["order"]["id"])

    def _is_about_an_order(self, answer: requests.Response) -> bool:
        """An order id that is not known is answered with 401 too, in plain text."""
        return answer.status_code == 401 and not answer.text.lstrip().startswith("{")

    def _credentials_hint(self) -> str:
        return "Set ALPHASWARM_TRADIER_TOKEN and ALPHASWARM_TRADIER_ACCOUNT_ID."

    # Events: they ring, and what is shown then is what counts.

    def _listen(self) -> None:
        while not self._closing.is_set():
            pause = self._poll_seconds
            try:
                self._follow()
            except (OSError, VenueError, WebSocketException, LookupError, TypeError, ValueError) as error:
                log.warning("tradier's events are down, polling goes on: %s", error)
            finally:
                self._poll_seconds = pause
            self._closing.wait(_RECONNECT_SECONDS)

    def _follow(self) -> None:
        session = self._read(lambda body: body["stream"], self._call("POST", _EVENTS_PATH))
        with connect(self._stream_url or _socket_of(session["url"]), open_timeout=10) as socket:
            socket.send(json.dumps({"events": ["order"], "sessionid": session["sessionid"], "excludeAccounts": []}))
            # What happened before the socket was open.
            self._poll()
            self._poll_seconds *= _RELAXED
            heard_at = time.monotonic()
            while not self._closing.is_set():
                events = _waiting(socket)
                if events:
                    heard_at = time.monotonic()
                if any(event == "order" for event in events):
                    self._poll()
                if time.monotonic() - heard_at > _SILENCE_SECONDS:
                    raise OSError(f"no heartbeat for {_SILENCE_SECONDS:.0f} s")


def _waiting(socket: ClientConnection) -> list[str]:
    """The events that have come, after a short wait for the first; many that come together ring once."""
    events = []
    with suppress(TimeoutError):
        wait = _LISTEN_SECONDS
        while True:
            message = json.loads(socket.recv(timeout=wait))
            if "error" in message:
                raise ValueError(str(message["error"]))
            events.append(str(message.get("event")))
            wait = 0.0
    return events


def _said(errors: Any) -> str:
    said = errors.get("error", errors) if isinstance(errors, dict) else errors
    return "; ".join(map(str, said)) if isinstance(said, list) else str(said)


def _socket_of(url: str) -> str:
    """The session's answer may name the address of HTTP streaming instead of the socket's."""
    return url if url.startswith("ws") else STREAM_URL
