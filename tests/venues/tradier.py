"""A stub of Tradier's brokerage API and its account event socket: `python -m tests.venues.tradier --port 9002`.

With the quirks that its users report: no rows are the text "null", one row is an object and more are a list; an order
that the broker refuses is answered with 200 and a list of errors; bad parameters with 400 and plain text; an unknown id
with 401; orders of an earlier day are not listed.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

from aiohttp import web

from tests.venues.book import ZERO, Book, Event, Order, Refused, Terms
from tests.venues.market import Bar
from tests.venues.serving import Stream, Stub, serve_by_hand
from tests.venues.tradier_shapes import LINKED, STATUSES, BadParameter, legs_of, price_of, row_of, some, terms_of

TOKEN, ACCOUNT = "stub-token", "VA000000"
#: Requests of a kind in a minute, of which the headers tell what is left.
ALLOWED, _MINUTE = 120, 60.0

ZONE = ZoneInfo("America/New_York")
_PRICES = {"price": "limit_price", "stop": "stop_price"}


class Group(NamedTuple):
    """Orders that were sent as one: its class, its tag, and the book's ids of its legs."""

    kind: str
    tag: str
    order_ids: list[str]


class TradierStub(Stub):
    """``orders_hidden`` lists none, as on the next day."""

    def __init__(self, book: Book | None = None) -> None:
        super().__init__(book or Book(unique_client_ids=False))
        self.clock_state = "open"
        self.orders_hidden = False
        self.series: dict[str, list[dict[str, Any]]] = {}
        #: The symbols whose bars were asked for, and since when.
        self.asked: list[tuple[str, str]] = []
        self.account_type = "margin"
        self.book.listeners.append(self._on_event)
        self._numbers = count(1001)
        self._number_of: dict[str, int] = {}
        self._words_of: dict[str, tuple[str, str]] = {}
        self._groups: dict[int, Group] = {}
        self._sessions: set[str] = set()
        self._requests: defaultdict[str, deque[float]] = defaultdict(deque)
        account = f"/v1/accounts/{ACCOUNT}"
        routes = self.app.router
        routes.add_post(f"{account}/orders", self._checked(self._submit))
        routes.add_get(f"{account}/orders", self._checked(self._orders))
        routes.add_get(f"{account}/orders/{{number:[0-9]+}}", self._checked(self._order))
        routes.add_put(f"{account}/orders/{{number:[0-9]+}}", self._checked(self._modify))
        routes.add_delete(f"{account}/orders/{{number:[0-9]+}}", self._checked(self._cancel))
        routes.add_get(f"{account}/positions", self._checked(self._positions))
        routes.add_get(f"{account}/balances", self._checked(self._balances))
        routes.add_get("/v1/user/profile", self._checked(self._profile))
        routes.add_get("/v1/markets/clock", self._checked(self._clock))
        routes.add_get("/v1/markets/timesales", self._checked(self._timesales))
        routes.add_get("/v1/markets/quotes", self._checked(self._quotes))
        routes.add_post("/v1/accounts/events/session", self._checked(self._session))
        routes.add_get("/v1/accounts/events", self._events)

    def _checked(self, handler: Any) -> Any:
        async def checked(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return web.json_response({"fault": {"faultstring": "Invalid Access Token"}}, status=401)
            if request.headers.get("Accept") != "application/json":
                return web.Response(text="<xml/>", content_type="application/xml")
            limits = self._count(request)
            try:
                answer = await handler(request)
            except BadParameter as error:
                answer = web.Response(text=str(error), status=400)
            except Refused as refusal:
                answer = self._refused(refusal)
            answer.headers.update(limits)
            return answer

        return checked

    def _count(self, request: web.Request) -> dict[str, str]:
        """Count a request; what the answer says of those of its kind, trading or market data or others, in a minute."""
        kind = "trading" if request.method != "GET" else request.path.split("/")[2]
        now, requests = time.time(), self._requests[kind]
        while requests and now - requests[0] >= _MINUTE:
            requests.popleft()
        requests.append(now)
        used = len(requests)
        expiry = str(int((requests[0] + _MINUTE) * 1000))
        figures = {"Allowed": ALLOWED, "Used": used, "Available": max(ALLOWED - used, 0), "Expiry": expiry}
        return {f"X-Ratelimit-{name}": str(figure) for name, figure in figures.items()}

    def _refused(self, refusal: Refused) -> web.Response:
        if refusal.code == "not_found":
            return web.Response(text="Unauthorized Account or order", status=401)
        if refusal.code in ("not_cancelable", "not_replaceable"):
            return web.Response(text="order already in finalized state", status=400)
        return web.json_response({"errors": {"error": [str(refusal)]}})

    # Orders.

    async def _submit(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("class") in LINKED:
            return self._submit_linked(form)
        terms = terms_of(form)
        if form.get("preview") == "true":
            cost = terms.qty * (terms.limit_price or self.book.last.get(terms.symbol, ZERO))
            return web.json_response({"order": {"status": "ok", "cost": float(cost), "commission": 0}})
        self._note(terms, form)
        return _ok(self._number(self.book.submit(terms).id))

    def _submit_linked(self, form: Any) -> web.Response:
        """Several orders in one, with an id of its own and the only tag."""
        legs = legs_of(form)
        tag = str(form.get("tag", ""))
        names = tag.split("--")
        number = next(self._numbers)
        all_terms = [terms_of({**leg, "tag": name}) for leg, name in zip(legs, names, strict=True)]
        for terms, leg in zip(all_terms, legs, strict=True):
            self._note(terms, leg)
        if form["class"] == "oco":
            orders = self.book.submit_group(tuple(all_terms))
        else:
            first = self.book.submit(all_terms[0], tuple(all_terms[1:]))
            orders = [first, *(self.book.orders[leg] for leg in first.legs)]
        self._groups[number] = Group(str(form["class"]), tag, [order.id for order in orders])
        return _ok(number)

    def _note(self, terms: Terms, form: Any) -> None:
        """Keep the words of an order, before the book tells its listeners of it."""
        terms.client_order_id = terms.client_order_id or f"none-{uuid4()}"
        self._words_of[terms.client_order_id] = (str(form["side"]), str(form["class"]))

    async def _orders(self, request: web.Request) -> web.Response:
        in_groups = {order_id for group in self._groups.values() for order_id in group.order_ids}
        rows = [self._row(order, request) for order in self.book.orders.values() if order.id not in in_groups]
        rows += [self._group_row(number, request) for number in self._groups]
        return web.json_response({"orders": some([] if self.orders_hidden else rows, "order")})

    async def _order(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        row = self._group_row(number, request) if number in self._groups else self._row(self._find(request), request)
        return web.json_response({"order": row})

    async def _modify(self, request: web.Request) -> web.Response:
        form = await request.post()
        names = {"type": "type", "duration": "time_in_force"}
        changes: dict[str, Any] = {names[name]: str(form[name]) for name in names if name in form}
        changes |= {field: price_of(form, name) for name, field in _PRICES.items() if name in form}
        return _ok(self._number(self.book.amend(self._find(request).id, **changes).id))

    async def _cancel(self, request: web.Request) -> web.Response:
        return _ok(self._number(self.book.cancel(self._find(request).id).id))

    def _number(self, order_id: str) -> int:
        if order_id not in self._number_of:
            self._number_of[order_id] = next(self._numbers)
        return self._number_of[order_id]

    def _find(self, request: web.Request) -> Order:
        number = int(request.match_info["number"])
        for order_id, known in self._number_of.items():
            if known == number:
                return self.book.orders[order_id]
        raise Refused("not_found", "no such order")

    def _row(self, order: Order, request: web.Request) -> dict[str, Any]:
        name = order.terms.client_order_id
        row = row_of(order, self._number(order.id), *self._words_of.get(name, (order.terms.side, "equity")))
        tagged = request.query.get("includeTags") == "true" and not name.startswith("none-")
        grouped = any(order.id in group.order_ids for group in self._groups.values())
        return {**row, "tag": name} if tagged and not grouped else row

    def _group_row(self, number: int, request: web.Request) -> dict[str, Any]:
        group = self._groups[number]
        legs = [self._row(self.book.orders[order_id], request) for order_id in group.order_ids]
        shared = {name: legs[0][name] for name in ("status", "duration", "create_date", "transaction_date")}
        row = {"id": number, "class": group.kind, "num_legs": len(legs), "leg": legs, **shared}
        return {**row, "tag": group.tag} if request.query.get("includeTags") == "true" else row

    # The account and the market.

    async def _positions(self, request: web.Request) -> web.Response:
        rows = [
            {
                "id": number,
                "symbol": symbol,
                "quantity": float(qty),
                "cost_basis": float(self.book.costs[symbol]),
                "date_acquired": datetime.now(UTC).isoformat(),
            }
            for number, (symbol, qty) in enumerate(self.book.positions.items(), 1)
            if qty
        ]
        return web.json_response({"positions": some(rows, "position")})

    async def _balances(self, request: web.Request) -> web.Response:
        book = self.book
        value = sum((qty * book.last.get(symbol, ZERO) for symbol, qty in book.positions.items()), ZERO)
        power = {"margin": "stock_buying_power", "pdt": "stock_buying_power", "cash": "cash_available"}
        return web.json_response(
            {
                "balances": {
                    "account_number": f"VA{self.book.number}",
                    "account_type": self.account_type,
                    "total_cash": float(book.cash),
                    "total_equity": float(book.cash + value),
                    "market_value": float(value),
                    self.account_type: {power[self.account_type]: float(book.cash)},
                }
            }
        )

    async def _profile(self, request: web.Request) -> web.Response:
        account = {"account_number": ACCOUNT, "status": "active", "type": self.account_type}
        return web.json_response({"profile": {"id": "id-stub", "account": account}})

    async def _clock(self, request: web.Request) -> web.Response:
        now = datetime.now(UTC)
        clock = {"date": f"{now:%Y-%m-%d}", "state": self.clock_state, "timestamp": int(now.timestamp())}
        return web.json_response({"clock": {**clock, "next_change": "16:00", "next_state": "postmarket"}})

    async def _timesales(self, request: web.Request) -> web.Response:
        rows = self.series.get(request.query["symbol"], [])
        start = request.query.get("start", "")
        self.asked.append((request.query["symbol"], start))
        found = [row for row in rows if row["time"] >= start.replace(" ", "T")]
        return web.json_response({"series": {"data": found if len(found) != 1 else found[0]} if found else None})

    async def _quotes(self, request: web.Request) -> web.Response:
        rows = [
            {"symbol": symbol, "last": float(self.book.last[symbol]), "bid": float(self.book.last[symbol])}
            for symbol in request.query["symbols"].split(",")
            if symbol in self.book.last
        ]
        return web.json_response({"quotes": some(rows, "quote")})

    def show(self, bar: Bar) -> None:
        super().show(bar)
        start = bar.start.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S")
        names = ("open", "high", "low", "close", "volume")
        row = {"time": start, **{name: getattr(bar, name) for name in names}}
        self.series.setdefault(bar.symbol, []).append(row)
        self.heartbeat()

    # Events: they carry neither symbol nor side.

    async def _session(self, request: web.Request) -> web.Response:
        session = str(uuid4())
        self._sessions = {session}
        url = f"{self.socket_url}/v1/accounts/events"
        return web.json_response({"stream": {"url": url, "sessionid": session}})

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        def hear(stream: Stream, text: Any) -> None:
            if text is None:
                return
            message = json.loads(text)
            stream.ready = message.get("sessionid") in self._sessions and "order" in message.get("events", [])
            if not stream.ready:
                stream.answer(json.dumps({"error": "session not found"}))

        return await self.follow(request, hear)

    def _on_event(self, event: Event) -> None:
        order = event.order
        message = {
            "id": self._number(order.id),
            "event": "order",
            "status": STATUSES.get(order.status, order.status),
            "type": order.terms.type,
            "price": float(order.terms.limit_price or 0),
            "stop_price": float(order.terms.stop_price or 0),
            "avg_fill_price": float(order.average or 0),
            "executed_quantity": float(order.filled),
            "last_fill_quantity": float(event.qty),
            "last_fill_price": float(event.price),
            "remaining_quantity": float(order.remaining),
            "transaction_date": event.time.isoformat(),
            "create_date": order.created_at.isoformat(),
            "account": ACCOUNT,
        }
        for stream in list(self.streams):
            if stream.ready:
                stream.send(json.dumps(message))

    def heartbeat(self) -> None:
        for stream in list(self.streams):
            if stream.ready:
                stream.answer(json.dumps({"event": "heartbeat", "status": "active"}))


def _ok(number: int) -> web.Response:
    return web.json_response({"order": {"id": number, "status": "ok", "partner_id": "stub"}})


if __name__ == "__main__":
    serve_by_hand(TradierStub, __doc__)
