"""A sizing method at work in one run."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from risk.sizing.memory import Closes, Memory
from risk.sizing.method import Method
from trading.engine.bars import Bar
from trading.engine.exact import exact
from trading.engine.orders import OrderRequest, Side
from trading.engine.records import Fill
from trading.engine.risk import Denial, Sized, Sizer
from trading.engine.strategy import Context

_ZERO: Final = Decimal(0)


class MethodSizer(Sizer):
    """Decides how much a request opens, and nothing else.

    What only closes is the strategy's to say: a request for no more than is held on the other side passes as it is, and
    so does a reduce-only one. A request for more closes what is held and opens what the method gives; where that is
    nothing, it only closes. Linked orders are scaled with the order that they are linked to, down to the step.
    """

    state: Memory

    def __init__(self, method: Method) -> None:
        self.method = method
        self.state = Memory()
        self.learns = method.closes > 0

    def learn(self, bar: Bar) -> None:
        closes = self.state.closes.get(bar.symbol)
        if closes is None:
            closes = self.state.closes[bar.symbol] = Closes.of(self.method.closes)
        closes.take(bar.close, bar.time)

    def on_fill(self, fill: Fill) -> None:
        if self.method.counts_trades:
            self.state.book(fill)

    @exact
    def size(self, request: OrderRequest, context: Context) -> Sized | Denial:
        if request.symbol not in context.universe or request.reduce_only or not _is_figure(request.qty):
            return Sized(request)
        held = context.qty(request.symbol)
        against = max(-held if request.side is Side.BUY else held, _ZERO)
        if request.qty <= against:
            return Sized(request, "closes what is held, as asked")
        stake = self.method.stake(request, self.state, context)
        if isinstance(stake, Denial):
            if not against:
                return stake
            return Sized(_scaled(request, against, context), f"closes what is held and opens nothing: {stake.message}")
        why = f"closes {against.normalize():f} and opens {stake.why}" if against else stake.why
        return Sized(_scaled(request, against + stake.units, context), why)


def _scaled(request: OrderRequest, qty: Decimal, context: Context) -> OrderRequest:
    """The request with this quantity, and those linked with it in proportion."""

    def part(linked: OrderRequest) -> OrderRequest:
        if linked.qty == request.qty:
            return _scaled(linked, qty, context)
        if linked.symbol not in context.universe or not _is_figure(linked.qty):
            return linked
        return _scaled(linked, context.instrument(linked.symbol).whole(linked.qty * qty / request.qty), context)

    return msgspec.structs.replace(
        request,
        qty=qty,
        then=tuple(part(one) for one in request.then),
        instead=tuple(part(one) for one in request.instead),
    )


def _is_figure(qty: Decimal) -> bool:
    return qty.is_finite() and qty > 0
