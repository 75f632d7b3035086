"""A stub of Alpaca's trading API, its order stream and its data stream: `python -m tests.venues.alpaca --port 9001`.

The shapes are those of the public documentation and of alpaca-py 0.44: prices and quantities are texts, the order
stream sends JSON in binary frames, the data stream msgpack.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack
from aiohttp import web

from tests.venues.alpaca_shapes import (
    activity_row,
    asset_id,
    exits_of,
    figure,
    moment,
    order_row,
    position_row,
    terms_of,
    text_of,
)
from tests.venues.book import OPEN, ZERO, Book, Event, Refused
from tests.venues.market import Bar
from tests.venues.serving import Stream, Stub, serve_by_hand

KEY, SECRET = "stub-key", "stub-secret"

#: HTTP status and code of what the book refuses.
REFUSALS = {
    "duplicate": (422, 40010001),
    "not_found": (404, 40410000),
    "buying_power": (403, 40310000),
    "not_cancelable": (422, 42210000),
    "not_replaceable": (422, 42210000),
    "bad_quantity": (422, 42210000),
    "bad_price": (422, 42210000),
    "halted": (403, 40310000),
}


class AlpacaStub(Stub):
    """``clock_open`` can be changed by a test at any time."""

    def __init__(self, book: Book | None = None) -> None:
        super().__init__(book)
        self.clock_open = True
        #: What answers say of the limit on calls, by header.
        self.limits: dict[str, str] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        #: The symbols whose recorded bars were asked for.
        self.asked: list[str] = []
        self.activities: list[dict[str, Any]] = []
        self.book.listeners.append(self._on_event)
        self._trading: set[Stream] = set()
        self._data: dict[Stream, dict[str, set[str]]] = {}
        routes = self.app.router
        routes.add_get("/v2/account", self._checked(self._account))
        routes.add_get("/v2/account/activities/FILL", self._checked(self._activities))
        routes.add_get("/v2/clock", self._checked(self._clock))
        routes.add_get("/v2/positions", self._checked(self._positions))
        routes.add_get("/v2/positions/{symbol:.+}", self._checked(self._position))
        routes.add_get("/v2/assets/{symbol:.+}", self._checked(self._asset))
        routes.add_post("/v2/orders", self._checked(self._submit))
        routes.add_get("/v2/orders", self._checked(self._orders))
        routes.add_delete("/v2/orders", self._checked(self._cancel_all))
        routes.add_get("/v2/orders:by_client_order_id", self._checked(self._by_client_id))
        routes.add_get("/v2/orders/{id}", self._checked(self._order))
        routes.add_patch("/v2/orders/{id}", self._checked(self._replace))
        routes.add_delete("/v2/orders/{id}", self._checked(self._cancel))
        routes.add_get("/v2/stocks/bars", self._checked(self._bars))
        routes.add_get("/stream", self._trading_stream)
        routes.add_get("/v2/{feed:iex|sip|test}", self._data_stream)

    # REST.

    def _checked(self, handler: Any) -> Any:
        async def checked(request: web.Request) -> web.StreamResponse:
            if (request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")) != (KEY, SECRET):
                return web.json_response({"code": 40110000, "message": "request is not authorized"}, status=401)
            try:
                answer = await handler(request)
            except Refused as refusal:
                status, code = REFUSALS[refusal.code]
                answer = web.json_response({"code": code, "message": str(refusal)}, status=status)
            answer.headers.update(self.limits)
            return answer

        return checked

    async def _account(self, request: web.Request) -> web.Response:
        book = self.book
        value = sum((qty * book.last.get(symbol, ZERO) for symbol, qty in book.positions.items()), ZERO)
        return web.json_response(
            {
                "id": "5e4f9fa5-6f07-4f4e-8d1c-0f5b3b0f5b3b",
                "account_number": f"PA{book.number}",
                "status": "ACTIVE",
                "currency": "USD",
                "cash": text_of(book.cash),
                "equity": text_of(book.cash + value),
                "portfolio_value": text_of(book.cash + value),
                "buying_power": text_of(book.cash),
                "multiplier": "1",
                "shorting_enabled": True,
                "trading_blocked": False,
                "account_blocked": False,
            }
        )

    async def _activities(self, request: web.Request) -> web.Response:
        """Fills, oldest first, a page at a time; the token of a page is the id of the last one before it."""
        after, token = request.query.get("after", ""), request.query.get("page_token")
        found = [row for row in self.activities if row["transaction_time"] > after]
        begin = next((place + 1 for place, row in enumerate(found) if row["id"] == token), 0)
        return web.json_response(found[begin : begin + int(request.query.get("page_size", 100))])

    async def _clock(self, request: web.Request) -> web.Response:
        now = datetime.now(UTC)
        return web.json_response(
            {
                "timestamp": now.isoformat(),
                "is_open": self.clock_open,
                "next_open": (now + timedelta(hours=12)).isoformat(),
                "next_close": (now + timedelta(hours=2)).isoformat(),
            }
        )

    async def _positions(self, request: web.Request) -> web.Response:
        return web.json_response(
            [position_row(symbol, self.book) for symbol, qty in self.book.positions.items() if qty]
        )

    async def _position(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"]
        if not self.book.positions.get(symbol):
            raise Refused("not_found", "position does not exist")
        return web.json_response(position_row(symbol, self.book))

    async def _asset(self, request: web.Request) -> web.Response:
        symbol = request.match_info["symbol"]
        return web.json_response(
            {
                "id": asset_id(symbol),
                "class": "crypto" if "/" in symbol else "us_equity",
                "exchange": "CRYPTO" if "/" in symbol else "NASDAQ",
                "symbol": symbol,
                "status": "active",
                "tradable": True,
                "marginable": True,
                "shortable": True,
                "easy_to_borrow": True,
                "fractionable": True,
            }
        )

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        terms = terms_of(body)
        if terms.order_class == "oco":
            limit, stop = exits_of(body, terms, entry=False)
            order, second = self.book.submit_group((limit, stop))
            order.legs.append(second.id)
        else:
            order = self.book.submit(terms, exits_of(body, terms))
        return web.json_response(order_row(order, self.book))

    async def _orders(self, request: web.Request) -> web.Response:
        wanted = request.query.get("status", "open")
        after = request.query.get("after")
        begin = None if after is None else datetime.fromisoformat(after.replace("Z", "+00:00"))
        rows = [
            order_row(order, self.book)
            for order in self.book.orders.values()
            if (wanted == "all" or (order.status in OPEN) == (wanted == "open"))
            and (begin is None or order.created_at > begin)
        ]
        if request.query.get("direction", "desc") == "desc":
            rows.reverse()
        return web.json_response(rows[: int(request.query.get("limit", 50))])

    async def _order(self, request: web.Request) -> web.Response:
        return web.json_response(order_row(self.book.find(request.match_info["id"]), self.book))

    async def _by_client_id(self, request: web.Request) -> web.Response:
        return web.json_response(order_row(self.book.by_client_id(request.query["client_order_id"]), self.book))

    async def _replace(self, request: web.Request) -> web.Response:
        body = await request.json()
        names = {"qty": "qty", "limit_price": "limit_price", "stop_price": "stop_price", "trail": "trail_price"}
        changes: dict[str, Any] = {names[name]: figure(body[name], name) for name in names if body.get(name)}
        if body.get("client_order_id"):
            changes["client_order_id"] = body["client_order_id"]
        return web.json_response(order_row(self.book.replace(request.match_info["id"], **changes), self.book))

    async def _cancel(self, request: web.Request) -> web.Response:
        self.book.cancel(request.match_info["id"])
        return web.Response(status=204)

    async def _cancel_all(self, request: web.Request) -> web.Response:
        rows = [{"id": order.id, "status": 200} for order in self.book.cancel_all()]
        return web.json_response(rows, status=207)

    async def _bars(self, request: web.Request) -> web.Response:
        symbols = request.query["symbols"].split(",")
        start = request.query.get("start", "")
        self.asked += symbols
        found = {symbol: [bar for bar in self.history.get(symbol, []) if bar["t"] >= start] for symbol in symbols}
        return web.json_response({"bars": {s: bars for s, bars in found.items() if bars}, "next_page_token": None})

    # Streams.

    def _on_event(self, event: Event) -> None:
        row = order_row(event.order, self.book)
        data: dict[str, Any] = {"event": event.kind, "timestamp": moment(event.time), "order": row}
        if event.execution_id:
            data |= {"execution_id": event.execution_id, "price": text_of(event.price), "qty": text_of(event.qty)}
            data["position_qty"] = text_of(event.position)
            self.activities.append(activity_row(event))
        message = json.dumps({"stream": "trade_updates", "data": data}).encode()
        for stream in list(self._trading):
            stream.send(message)

    async def _trading_stream(self, request: web.Request) -> web.WebSocketResponse:
        def hear(stream: Stream, text: Any) -> None:
            if text is None:
                return
            message = json.loads(text)
            if message["action"] in ("authenticate", "auth"):
                given = message.get("data", message)
                keys = (given.get("key_id") or given.get("key"), given.get("secret_key") or given.get("secret"))
                stream.ready = keys == (KEY, SECRET)
                status = "authorized" if stream.ready else "unauthorized"
                reply: dict[str, Any] = {
                    "stream": "authorization",
                    "data": {"status": status, "action": "authenticate"},
                }
                stream.answer(json.dumps(reply).encode())
            elif message["action"] == "listen" and stream.ready:
                self._trading.add(stream)
                told = {"streams": message["data"]["streams"]}
                stream.answer(json.dumps({"stream": "listening", "data": told}).encode())

        try:
            return await self.follow(request, hear)
        finally:
            self._trading &= self.streams

    async def _data_stream(self, request: web.Request) -> web.WebSocketResponse:
        def hear(stream: Stream, packed: Any) -> None:
            if packed is None:
                stream.answer(msgpack.packb([{"T": "success", "msg": "connected"}]))
                return
            message = msgpack.unpackb(packed)
            if message["action"] == "auth":
                stream.ready = (message["key"], message["secret"]) == (KEY, SECRET)
                good, bad = {"T": "success", "msg": "authenticated"}, {"T": "error", "code": 402, "msg": "auth failed"}
                stream.answer(msgpack.packb([good if stream.ready else bad]))
            elif message["action"] == "subscribe" and stream.ready:
                wanted = self._data.setdefault(stream, {})
                for channel, symbols in message.items():
                    if channel != "action":
                        wanted.setdefault(channel, set()).update(symbols)
                told = {channel: sorted(symbols) for channel, symbols in wanted.items()}
                stream.answer(msgpack.packb([{"T": "subscription", **told}]))

        try:
            return await self.follow(request, hear)
        finally:
            self._data = {stream: wanted for stream, wanted in self._data.items() if stream in self.streams}

    def bar(self, symbol: str, start: datetime, prices: tuple[float, float, float, float], volume: float = 100) -> None:
        """Send a minute bar to who has subscribed to it, and keep it for `GET /v2/stocks/bars`."""
        opening, high, low, close = prices
        row = {"o": opening, "h": high, "l": low, "c": close, "v": volume, "n": 1, "vw": close}
        self.history.setdefault(symbol, []).append({**row, "t": start.strftime("%Y-%m-%dT%H:%M:%SZ")})
        stamp = msgpack.Timestamp.from_datetime(start)
        self._publish("bars", symbol, {"T": "b", "S": symbol, **row, "t": stamp})

    def show(self, bar: Bar) -> None:
        super().show(bar)
        self.bar(bar.symbol, bar.start, bar.prices, bar.volume)

    def quote(self, symbol: str, bid: float, ask: float, at: datetime) -> None:
        stamp = msgpack.Timestamp.from_datetime(at)
        sizes = {"bx": "V", "bs": 1, "ax": "V", "as": 1, "c": ["R"], "z": "C"}
        self._publish("quotes", symbol, {"T": "q", "S": symbol, "bp": bid, "ap": ask, "t": stamp, **sizes})

    def trading_status(self, symbol: str, halted: bool, at: datetime) -> None:
        """Halt a symbol, or let it trade again, and tell who has subscribed to statuses."""
        (self.book.halted.add if halted else self.book.halted.discard)(symbol)
        code = ("H", "Trading Halt") if halted else ("T", "Trading Resumption")
        stamp = msgpack.Timestamp.from_datetime(at)
        row = {"T": "s", "S": symbol, "sc": code[0], "sm": code[1], "rc": "", "rm": "", "t": stamp, "z": "C"}
        self._publish("statuses", symbol, row)

    def _publish(self, channel: str, symbol: str, row: dict[str, Any]) -> None:
        for stream, wanted in self._data.items():
            if wanted.get(channel, set()) & {symbol, "*"}:
                stream.send(msgpack.packb([row], datetime=False))


if __name__ == "__main__":
    serve_by_hand(AlpacaStub, __doc__)
