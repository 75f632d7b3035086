"""When and at what price a simulated order trades in a bar: pure functions, pessimistic where a bar leaves room.

A bar says where the price was, not in which order. What is known is its open, then that the range was reached, then
its close. So an order is shown points (`at_point`: the open, the close, the price of the fill that woke it) and the
rest of a bar (`between`), and these rules hold:

- What can trade at the open trades there: a gap fills at the open, never at the better level that it jumped over.
- Inside the bar stops come before limits, so of a stop and a target that the range both reaches, the stop is filled.
- A stop that is reached inside the bar trades at its stop price, with slippage, never better. A stop-limit order is a
  limit order from then on: it trades there if its limit allows, else in this bar only if the close proves it.
- A limit order that the range reaches trades at its limit, never better.
- A trailing stop is first held against the bar's adverse extreme from the mark that it had at the open; then the
  favourable extreme moves the mark, and the close is held against the new stop: the way from that extreme to the close
  must have crossed it, and it trades at that stop.
- An order that was woken inside the bar (by the fill of another) has seen an unknown part of the range. A stop takes
  all of it for seen; a limit order only trades if the close proves it; a trailing stop moves its mark by the close.
- Where a bar carries a quote, buyers see the bar moved up by half of the spread and sellers moved down, and its close
  as the ask and the bid. The quote is that of the bar's end, so at the next open its width stands for the spread and
  the open for the middle. Without a quote both see the bar as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from brokers.working import WorkingOrder
from trading.engine.bars import Bar, price_of
from trading.engine.orders import OrderType

_TWO: Final = Decimal(2)
_HUNDRED: Final = Decimal(100)


class Seen:
    """One bar as the two sides see it, in decimals that are made when they are asked for.

    ``interval`` is the bar's length in nanoseconds, 0 where it is not known; ``is_quoted`` whether it carries a quote.
    """

    __slots__ = ("_half", "bar", "interval", "is_quoted")

    def __init__(self, bar: Bar, interval: int = 0) -> None:
        self.bar = bar
        self.interval = interval
        self.is_quoted = bar.ask > bar.bid > 0
        self._half = (price_of(bar.ask) - price_of(bar.bid)) / _TWO if self.is_quoted else None

    def open(self, buy: bool) -> Decimal:
        return price_of(self.bar.open) if self._half is None else self._moved(self.bar.open, buy)

    def high(self, buy: bool) -> Decimal:
        return self._moved(self.bar.high, buy)

    def low(self, buy: bool) -> Decimal:
        return self._moved(self.bar.low, buy)

    def close(self, buy: bool) -> Decimal:
        if self._half is None:
            return price_of(self.bar.close)
        return price_of(self.bar.ask if buy else self.bar.bid)

    def across(self, price: Decimal, by: bool, buy: bool) -> Decimal:
        """``price``, which one side (``by``: the buyers) sees, as a side sees it at that moment."""
        if self._half is None or by is buy:
            return price
        return price + _TWO * self._half if buy else price - _TWO * self._half

    def _moved(self, price: float, buy: bool) -> Decimal:
        if self._half is None:
            return price_of(price)
        return price_of(price) + self._half if buy else price_of(price) - self._half


#: What a working order does in the rest of a bar: the price at which it trades, before slippage, or None. The last
#: argument is whether the whole of the range lies after the order became active. `between` is the rule of the house.
Reach = Callable[[WorkingOrder, Seen, bool], Decimal | None]


def at_point(work: WorkingOrder, price: Decimal) -> Decimal | None:
    """The price at which an order trades where the market stands at ``price``, or None; a trailing stop moves."""
    if work.is_stop and not work.triggered and not _is_triggered(work, price):
        return None
    return price if work.limit is None or _is_within(work, price) else None


def between(work: WorkingOrder, seen: Seen, whole: bool) -> Decimal | None:
    """The price, before slippage, at which an order trades in the rest of a bar after a point where it did not."""
    if work.is_stop and not work.triggered:
        reached = _stop_reached(work, seen, whole)
        if reached is None:
            return None
        work.triggered = True
        if work.limit is None or _is_within(work, reached):
            return reached
        whole = False
    if work.limit is None:
        return None
    if whole:
        touched = seen.low(True) <= work.limit if work.buy else seen.high(False) >= work.limit
    else:
        touched = _is_within(work, seen.close(work.buy))
    return work.limit if touched else None


def _is_within(work: WorkingOrder, price: Decimal) -> bool:
    """Whether the limit allows a trade at this price."""
    limit = work.limit
    return limit is None or (price <= limit if work.buy else price >= limit)


def _is_triggered(work: WorkingOrder, price: Decimal) -> bool:
    trail(work, price)
    work.triggered = _is_beyond(work, price)
    return work.triggered


def _is_beyond(work: WorkingOrder, price: Decimal) -> bool:
    """Whether the market at ``price`` has reached the stop."""
    stop = work.stop
    return stop is not None and (price >= stop if work.buy else price <= stop)


def _stop_reached(work: WorkingOrder, seen: Seen, whole: bool) -> Decimal | None:
    adverse = seen.high(True) if work.buy else seen.low(False)
    if _is_beyond(work, adverse):
        return work.stop
    if work.type is not OrderType.TRAILING_STOP:
        return None
    closing = seen.close(work.buy)
    if whole:
        trail(work, seen.low(True) if work.buy else seen.high(False))
    trail(work, closing)
    return work.stop if _is_beyond(work, closing) else None


def trail(work: WorkingOrder, price: Decimal) -> None:
    """Let a trailing stop follow the market to ``price``; its stop is rounded to the tick that is further away."""
    if work.type is not OrderType.TRAILING_STOP:
        return
    if work.mark is not None and (price >= work.mark if work.buy else price <= work.mark):
        return
    work.mark = price
    distance = work.order.trail_amount
    if distance is None:
        distance = price * (work.order.trail_percent or _HUNDRED) / _HUNDRED
    work.stop = work.instrument.worse(price + distance if work.buy else price - distance, work.buy)
