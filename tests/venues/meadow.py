"""A venue that nobody has, with words of its own: `python -m tests.venues.meadow --port 9009`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from aiohttp import web

from tests.venues.book import ZERO, Book, Order, Refused, Terms
from tests.venues.serving import Stub, serve_by_hand

TOKEN = "stub-key"
_SIDES = {"B": "buy", "S": "sell"}
_LETTERS = {"buy": "B", "sell": "S"}


class MeadowStub(Stub):
    """Tickets, holdings and a purse."""

    def __init__(self, book: Book | None = None) -> None:
        super().__init__(book)
        routes = self.app.router
        routes.add_post("/v9/tickets", self._checked(self._submit))
        routes.add_get("/v9/tickets", self._checked(self._tickets))
        routes.add_get("/v9/tickets/{id}", self._checked(self._ticket))
        routes.add_delete("/v9/tickets/{id}", self._checked(self._cancel))
        routes.add_get("/v9/holdings", self._checked(self._holdings))
        routes.add_get("/v9/purse", self._checked(self._purse))

    def _checked(self, handler: Any) -> Any:
        async def checked(request: web.Request) -> web.StreamResponse:
            if request.headers.get("X-Key") != TOKEN:
                return web.json_response({"why": "unknown key"}, status=401)
            try:
                answer: web.StreamResponse = await handler(request)
            except Refused as refusal:
                return web.json_response({"why": str(refusal)}, status=404 if refusal.code == "not_found" else 422)
            return answer

        return checked

    async def _submit(self, request: web.Request) -> web.Response:
        asked = await request.json()
        terms = Terms(
            symbol=asked["thing"],
            side=_SIDES[asked["way"]],
            qty=Decimal(asked["units"]),
            type="limit" if "worst" in asked else "market",
            client_order_id=asked["mine"],
            limit_price=Decimal(asked["worst"]) if "worst" in asked else None,
        )
        return web.json_response(_shown(self.book.submit(terms)), status=201)

    async def _tickets(self, request: web.Request) -> web.Response:
        return web.json_response([_shown(order) for order in self.book.orders.values()])

    async def _ticket(self, request: web.Request) -> web.Response:
        return web.json_response(_shown(self.book.find(request.match_info["id"])))

    async def _cancel(self, request: web.Request) -> web.Response:
        self.book.cancel(request.match_info["id"])
        return web.Response(status=204)

    async def _holdings(self, request: web.Request) -> web.Response:
        return web.json_response({symbol: str(qty) for symbol, qty in self.book.positions.items() if qty})

    async def _purse(self, request: web.Request) -> web.Response:
        book = self.book
        worth = book.cash + sum((qty * book.last[symbol] for symbol, qty in book.positions.items()), ZERO)
        return web.json_response({"holder": "M-1", "coins": str(book.cash), "worth": str(worth)})


def _shown(order: Order) -> dict[str, str]:
    shown = {
        "number": order.id,
        "mine": order.terms.client_order_id,
        "thing": order.terms.symbol,
        "way": _LETTERS[order.terms.side],
        "units": str(order.terms.qty),
        "done": str(order.filled),
        "at": str(order.average or 0),
        "is": order.status,
        "seen": order.updated_at.isoformat(),
    }
    return shown | ({} if order.terms.limit_price is None else {"worst": str(order.terms.limit_price)})


if __name__ == "__main__":
    serve_by_hand(MeadowStub, __doc__)
