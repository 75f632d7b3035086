"""A stub of Tradier's brokerage API and its account event socket: `python -m tests.venues.tradier --port 9002`.

With the quirks that its users report: no rows are the text "null", one row is an object and more are a list; an order
that the broker refuses is answered with 200 and a list of errors; bad parameters with 400 and plain text; an unknown id
with 401; orders of an earlier day are not listed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import Any
from uuid import uuid4

from aiohttp import web

from tests.venues.book import ZERO, Book, Event, Order, Refused, Terms
from tests.venues.serving import Stream, Stub, serve_by_hand

TOKEN, ACCOUNT = "stub-token", "VA000000"

SIDES = {"buy": "buy", "buy_to_cover": "buy", "sell": "sell", "sell_short": "sell"}
SIDES |= {"buy_to_open": "buy", "buy_to_close": "buy", "sell_to_open": "sell", "sell_to_close": "sell"}
STATUSES = {"new": "open", "held": "held", "replaced": "canceled"}
_DURATIONS = ("day", "gtc", "pre", "post")
_PRICES = {"price": "limit_price", "stop": "stop_price"}
_TYPES = ("market", "limit", "stop", "stop_limit")


class BadParameter(Exception):
    """Answered with 400 and its text."""


class TradierStub(Stub):
    """``limits`` counts requests for the rate limit's headers; ``orders_hidden`` lists none, as on the next day."""

    def __init__(self, book: Book | None = None) -> None:
        super().__init__(book or Book(unique_client_ids=False))
        self.clock_state = "open"
        self.orders_hidden = False
        self.series: dict[str, list[dict[str, Any]]] = {}
        self.account_type = "margin"
        self.book.listeners.append(self._on_event)
        self._numbers = count(1001)
        self._number_of: dict[str, int] = {}
        self._words_of: dict[str, tuple[str, str]] = {}
        self._sessions: set[str] = set()
        self._requests = 0
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
            self._requests += 1
            try:
                answer = await handler(request)
            except BadParameter as error:
                answer = web.Response(text=str(error), status=400)
            except Refused as refusal:
                answer = self._refused(refusal)
            answer.headers["X-Ratelimit-Allowed"] = "120"
            answer.headers["X-Ratelimit-Used"] = str(self._requests)
            answer.headers["X-Ratelimit-Available"] = str(max(120 - self._requests, 0))
            expiry = datetime.now(UTC) + timedelta(minutes=1)
            answer.headers["X-Ratelimit-Expiry"] = str(int(expiry.timestamp() * 1000))
            return answer

        return checked

    def _refused(self, refusal: Refused) -> web.Response:
        if refusal.code == "not_found":
            return web.Response(text="Unauthorized Account or order", status=401)
        if refusal.code in ("not_cancelable", "not_replaceable"):
            return web.Response(text="order already in finalized state", status=400)
        return web.json_response({"errors": {"error": [str(refusal)]}})

    # Orders.

    async def _submit(self, request: web.Request) -> web.Response:
        form = await request.post()
        terms = _terms(form)
        if form.get("preview") == "true":
            cost = terms.qty * (terms.limit_price or self.book.last.get(terms.symbol, ZERO))
            return web.json_response({"order": {"status": "ok", "cost": float(cost), "commission": 0}})
        terms.client_order_id = terms.client_order_id or f"none-{uuid4()}"
        # Known before the book tells its listeners of the order.
        self._words_of[terms.client_order_id] = (str(form["side"]), str(form["class"]))
        return self._ok(self.book.submit(terms))

    def _ok(self, order: Order) -> web.Response:
        number = self._number(order.id)
        return web.json_response({"order": {"id": number, "status": "ok", "partner_id": "stub"}})

    async def _orders(self, request: web.Request) -> web.Response:
        rows = [] if self.orders_hidden else [self._row(order, request) for order in self.book.orders.values()]
        return web.json_response({"orders": _some(rows, "order")})

    async def _order(self, request: web.Request) -> web.Response:
        return web.json_response({"order": self._row(self._find(request), request)})

    async def _modify(self, request: web.Request) -> web.Response:
        form = await request.post()
        names = {"type": "type", "duration": "time_in_force"}
        changes: dict[str, Any] = {names[name]: str(form[name]) for name in names if name in form}
        changes |= {field: _price(form, name) for name, field in _PRICES.items() if name in form}
        return self._ok(self.book.amend(self._find(request).id, **changes))

    async def _cancel(self, request: web.Request) -> web.Response:
        order = self.book.cancel(self._find(request).id)
        return self._ok(order)

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
        terms = order.terms
        side, kind = self._words_of.get(terms.client_order_id, (terms.side, "equity"))
        row: dict[str, Any] = {
            "id": self._number(order.id),
            "type": terms.type,
            "symbol": terms.symbol,
            "side": side,
            "quantity": float(terms.qty),
            "status": STATUSES.get(order.status, order.status),
            "duration": terms.time_in_force,
            "avg_fill_price": float(order.average or 0),
            "exec_quantity": float(order.filled),
            "last_fill_price": float(order.average or 0),
            "last_fill_quantity": float(order.filled),
            "remaining_quantity": float(order.remaining),
            "create_date": order.created_at.isoformat(),
            "transaction_date": order.updated_at.isoformat(),
            "class": kind,
        }
        if terms.limit_price is not None:
            row["price"] = float(terms.limit_price)
        if terms.stop_price is not None:
            row["stop_price"] = float(terms.stop_price)
        if request.query.get("includeTags") == "true" and not terms.client_order_id.startswith("none-"):
            row["tag"] = terms.client_order_id
        return row

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
        return web.json_response({"positions": _some(rows, "position")})

    async def _balances(self, request: web.Request) -> web.Response:
        book = self.book
        value = sum((qty * book.last.get(symbol, ZERO) for symbol, qty in book.positions.items()), ZERO)
        power = {"margin": "stock_buying_power", "pdt": "stock_buying_power", "cash": "cash_available"}
        return web.json_response(
            {
                "balances": {
                    "account_number": ACCOUNT,
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
        found = [row for row in rows if row["time"] >= start.replace(" ", "T")]
        return web.json_response({"series": {"data": found if len(found) != 1 else found[0]} if found else None})

    async def _quotes(self, request: web.Request) -> web.Response:
        rows = [
            {"symbol": symbol, "last": float(self.book.last[symbol]), "bid": float(self.book.last[symbol])}
            for symbol in request.query["symbols"].split(",")
            if symbol in self.book.last
        ]
        return web.json_response({"quotes": _some(rows, "quote")})

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


def _terms(form: Any) -> Terms:
    kind, side = form.get("class"), form.get("side")
    if kind not in ("equity", "option"):
        raise BadParameter(f"Invalid parameter, class: {kind}.")
    if side not in SIDES:
        raise BadParameter(f"Invalid parameter, side: {side}.")
    if form.get("type") not in _TYPES:
        raise BadParameter(f"Invalid parameter, type: {form.get('type')}.")
    if form.get("duration") not in _DURATIONS:
        raise BadParameter(f"Invalid parameter, duration: {form.get('duration')}.")
    tag = str(form.get("tag", ""))
    if tag and not all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in tag):
        raise Refused("bad_price", "tag may hold letters, digits and dashes alone")
    return Terms(
        symbol=str(form["option_symbol"] if kind == "option" else form["symbol"]),
        side=SIDES[str(side)],
        qty=_number(form, "quantity"),
        type=str(form["type"]),
        time_in_force=str(form["duration"]),
        client_order_id=tag,
        limit_price=_price(form, "price"),
        stop_price=_price(form, "stop"),
    )


def _number(form: Any, name: str) -> Decimal:
    try:
        return Decimal(str(form[name]))
    except (KeyError, InvalidOperation):
        raise BadParameter(f"Invalid parameter, {name}: {form.get(name)}.") from None


def _price(form: Any, name: str) -> Decimal | None:
    return _number(form, name) if name in form else None


def _some(rows: list[dict[str, Any]], name: str) -> Any:
    """No rows are a text, one is an object, more are a list."""
    if not rows:
        return "null"
    return {name: rows[0] if len(rows) == 1 else rows}


if __name__ == "__main__":
    serve_by_hand(TradierStub, __doc__)
