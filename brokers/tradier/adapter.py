"""Tradier as a brokerage: REST by form, the account's event socket as a bell, polling each second as the fallback."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from brokers.addresses import check_paper
from brokers.base import STARTING_CASH, VenueAccount, VenuePosition
from brokers.enduring import VenueClock
from brokers.pacing import RateLimit
from brokers.rest import RestBrokerage
from brokers.sightings import VenueOrder
from brokers.tradier import mapping
from trading.engine.errors import Fatal, Rejected, Unknown, VenueError
from trading.engine.orders import OrderRecord

log = logging.getLogger(__name__)

LIVE_URL: Final = "https://api.tradier.com/v1"
STREAM_URL: Final = "wss://ws.tradier.com/v1/accounts/events"
SANDBOX_URL: Final = "https://sandbox.tradier.com/v1"
_RECONNECT_SECONDS: Final = 2.0
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
        limit = RateLimit(60, 60.0)
        super().__init__(base, headers, limit, poll_seconds, starting_cash)
        account = f"/accounts/{account_id}"
        self._orders_path = f"{account}/orders?includeTags=true"
        self._positions_path = f"{account}/positions"
        self._account_path = f"{account}/balances"
        self._order_path = f"{account}/orders"
        self.live = not paper
        self._has_credentials = bool(token and account_id)
        self._events_url = f"{base}/accounts/events/session"
        self._stream_url = stream_url
        self._listener: threading.Thread | None = None

    # The five things that a venue says about itself.

    def _order_detail_path(self, venue_order_id: str) -> str:
        return f"{self._order_path}/{venue_order_id}?includeTags=true"

    def _order_payload(self, order: OrderRecord) -> dict[str, Any]:
        return mapping.payload(order)

    def _parse_order(self, row: Any) -> VenueOrder:
        return mapping.order_of(row.get("order", row))

    def _parse_orders(self, body: Any) -> list[VenueOrder]:
        return [self._parse_order(row) for row in mapping.some(body, "orders", "order")]

    def _parse_positions(self, body: Any) -> list[VenuePosition]:
        return [mapping.position_of(row) for row in mapping.some(body, "positions", "position")]

    def _parse_account(self, body: Any) -> VenueAccount:
        return mapping.account_of(body["balances"])

    # Where Tradier is unlike the template.

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
            self._listener.join(_RECONNECT_SECONDS)

    def _send(self, method: str, path: str, payload: Mapping[str, Any], pace: Callable[[], None]) -> Any:
        body = super()._send(method, path, payload, pace)
        if isinstance(body, dict) and "errors" in body:
            said = body["errors"].get("error", body["errors"])
            raise Rejected("; ".join(said) if isinstance(said, list) else str(said))
        return body

    def _placed_id(self, body: Any) -> str:
        if body["order"]["status"] != "ok":
            raise Unknown(f"tradier answered {body['order']['status']!r} to a new order")
        return str(body["order"]["id"])

    def _is_about_an_order(self, answer: requests.Response) -> bool:
        """An order id that is not known is answered with 401 too, in plain text."""
        return answer.status_code == 401 and not answer.text.lstrip().startswith("{")

    def _credentials_hint(self) -> str:
        return "Set ALPHASWARM_TRADIER_TOKEN and ALPHASWARM_TRADIER_ACCOUNT_ID."

    # Events.

    def _listen(self) -> None:
        while not self._closing.is_set():
            pause = self._poll_seconds
            try:
                self._follow()
            except (OSError, VenueError, WebSocketException, ValueError, KeyError) as error:
                log.warning("tradier's events are down, polling goes on: %s", error)
            finally:
                self._poll_seconds = pause
            self._closing.wait(_RECONNECT_SECONDS)

    def _follow(self) -> None:
        answer = self._session.post(self._events_url, timeout=(3.0, 10.0))
        answer.raise_for_status()
        session = answer.json()["stream"]
        with connect(self._stream_url or _socket_of(session["url"]), open_timeout=10) as socket:
            socket.send(json.dumps({"events": ["order"], "sessionid": session["sessionid"], "excludeAccounts": []}))
            # What happened before the socket was open.
            self._poll()
            self._poll_seconds *= _RELAXED
            while not self._closing.is_set():
                try:
                    event = json.loads(socket.recv(timeout=_LISTEN_SECONDS))
                except TimeoutError:
                    continue
                if event.get("event") == "order":
                    self._poll()


def _socket_of(url: str) -> str:
    """The session's answer may name the address of HTTP streaming instead of the socket's."""
    return url if url.startswith("ws") else STREAM_URL
