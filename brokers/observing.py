"""A span and a figure for each call to a venue, in one place for all adapters.

A bridge names its class here, and each method of the interface that the class or an heir implements is seen: as the
span ``broker.<call>``, which carries ``broker.venue``, and in the figures below. A call that another one makes on its
way is a part of that one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from inspect import iscoroutinefunction
from typing import Any, Final

from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram

from trading.engine.errors import Fatal, Rejected, Transient, Unknown, Withheld

CALLS: Final = (
    "connect",
    "submit_order",
    "replace_order",
    "cancel_order",
    "cancel_orders",
    "withdraw",
    "cancel_all",
    "query_order",
    "query_orders",
    "query_open_orders",
    "query_fills",
    "query_positions",
    "query_account",
    "query_clock",
)
#: A venue that takes many at once is called once.
_NAMES: Final = {"cancel_orders": "cancel_order"}

_tracer = trace.get_tracer("alphaswarm.brokers")
_calls = Counter("alphaswarm_broker_calls", "Calls to venues by outcome", ["venue", "call", "outcome"])
_seconds = Histogram(
    "alphaswarm_broker_call_seconds",
    "How long calls to venues took",
    ["venue", "call"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_connections = Counter("alphaswarm_broker_connections", "How often streams of order updates have come up", ["venue"])
_streams = Gauge(
    "alphaswarm_broker_streams",
    "Sessions by whether the order updates of their venue are flowing",
    ["venue", "state"],
    multiprocess_mode="livesum",
)
_inside: ContextVar[bool] = ContextVar("inside a call to a venue", default=False)


def observed(cls: type, suffix: str = "") -> None:
    """See every call of the interface whose method stands in this class, under its name with the suffix."""
    for call in CALLS:
        method = cls.__dict__.get(call + suffix)
        if method is not None and not getattr(method, "__isabstractmethod__", False):
            setattr(cls, call + suffix, _seen(_NAMES.get(call, call), method))


def came_up(venue: str) -> None:
    """Count that the stream of a venue's order updates has come up."""
    _connections.labels(venue).inc()


class StreamHealth:
    """What figures tell of one session's stream of order updates."""

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._state = ""

    def show(self, healthy: bool) -> None:
        self._enter("up" if healthy else "down")

    def end(self) -> None:
        self._enter("")

    def _enter(self, state: str) -> None:
        if state == self._state:
            return
        if self._state:
            _streams.labels(self._venue, self._state).dec()
        if state:
            _streams.labels(self._venue, state).inc()
        self._state = state


def _seen(call: str, method: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(method):

        @wraps(method)
        async def awaited(self: Any, *args: Any, **kwargs: Any) -> Any:
            if _inside.get():
                return await method(self, *args, **kwargs)
            with _call(self.venue, call):
                return await method(self, *args, **kwargs)

        return awaited

    @wraps(method)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _inside.get():
            return method(self, *args, **kwargs)
        with _call(self.venue, call):
            return method(self, *args, **kwargs)

    return called


@contextmanager
def _call(venue: str, call: str) -> Iterator[None]:
    token, began, outcome = _inside.set(True), time.perf_counter(), "ok"
    try:
        with _tracer.start_as_current_span(f"broker.{call}", attributes={"broker.venue": venue}):
            yield
    except BaseException as error:
        outcome = _outcome(error)
        raise
    finally:
        _inside.reset(token)
        _seconds_of(venue, call).observe(time.perf_counter() - began)
        _calls_of(venue, call, outcome).inc()


# A figure's labels cost more to look up than all the rest of a call.
_seconds_of = cache(_seconds.labels)
_calls_of = cache(_calls.labels)


def _outcome(error: BaseException) -> str:
    """The reaction that an error needs; a call that was given up may have taken effect."""
    named = {Withheld: "withheld", Transient: "transient", Rejected: "rejected", Unknown: "unknown", Fatal: "fatal"}
    given_up = isinstance(error, TimeoutError | asyncio.CancelledError)
    return next((name for kind, name in named.items() if isinstance(error, kind)), "unknown" if given_up else "error")
