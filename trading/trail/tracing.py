"""A run done again up to one moment, with everything noted that is asked on the way of its orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from risk.agent import RiskManagementAgent
from risk.manager import Check
from trading.engine.bars import Bar
from trading.engine.orders import CancelRequest, OrderRecord, OrderRequest, ReplaceRequest, Request
from trading.engine.records import plain
from trading.engine.risk import Denial
from trading.engine.strategy import Context, IStrategy
from trading.models import Order
from trading.parts import Parts


@dataclass
class Trace:
    """What was asked for and checked since it was last cleared, in the order in which that happened."""

    requests: list[Request] = field(default_factory=list)
    checks: dict[str, list[Check]] = field(default_factory=dict)

    def clear(self) -> None:
        self.requests = []
        self.checks = {}


class TracedStrategy(IStrategy):
    """A strategy that is listened to."""

    def __init__(self, strategy: IStrategy, trace: Trace) -> None:
        self._strategy = strategy
        self._trace = trace
        self.history = strategy.history

    @property
    def state(self) -> msgspec.Struct | None:  # type: ignore[override]
        return self._strategy.state

    def on_bar(self, bar: Bar, context: Context) -> Sequence[Request]:
        return self._noted(self._strategy.on_bar(bar, context))

    def on_timer(self, name: str, context: Context) -> Sequence[Request]:
        return self._noted(self._strategy.on_timer(name, context))

    def _noted(self, requests: Sequence[Request]) -> Sequence[Request]:
        self._trace.requests += requests
        return requests


class TracedAgent(RiskManagementAgent):
    """An agent whose every check is noted, also those after the first that refuses."""

    trace: Trace

    def check_pretrade(self, order: OrderRecord, context: Context) -> Denial | None:
        self.trace.checks[order.id] = list(self.manager.explain(order, context))
        return super().check_pretrade(order, context)


def traced(parts: Parts, trace: Trace) -> tuple[Parts, TracedAgent]:
    """The parts of a run that note what they are asked in ``trace``."""
    agent = parts.agent(TracedAgent)
    agent.trace = trace
    return replace(parts, strategy=TracedStrategy(parts.strategy, trace)), agent


def sentence(request: Request) -> str:
    """What a request asks for."""
    because = f" ({request.reason})" if request.reason else ""
    if isinstance(request, CancelRequest):
        return f"cancel order {request.order_id}{because}"
    if isinstance(request, ReplaceRequest):
        wanted = ", ".join(f"{name.replace('_', ' ')} {plain(value)}" for name, value in _changes(request))
        return f"replace order {request.order_id}: {wanted or 'as it is'}{because}"
    return f"{terms_of(request)}{because}"


def terms_of(order: OrderRequest | Order) -> str:
    """``buy 10 SPY limit at 99.5, gtc``; also of a row of the table of orders."""
    text = f"{order.side} {plain(order.qty)} {order.symbol} {str(order.type).replace('_', ' ')}"
    if order.limit_price is not None:
        text += f" at {plain(order.limit_price)}"
    if order.stop_price is not None:
        text += f", stop {plain(order.stop_price)}"
    return f"{text}, {order.time_in_force}"


def _changes(request: ReplaceRequest) -> list[tuple[str, Any]]:
    names = ("qty", "limit_price", "stop_price", "trail_amount", "trail_percent")
    return [(name, getattr(request, name)) for name in names if getattr(request, name) is not None]
