"""One bar of one symbol at the simulated venue: who is shown what, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from brokers.account import Account
from brokers.matching import Reach, Seen, at_point
from brokers.working import WorkingOrder
from trading.engine.bars import Bar
from trading.engine.calendars import DAY
from trading.engine.orders import TimeInForce
from trading.engine.updates import UpdateKind


class Orders(Protocol):
    """What a crossing needs of the book."""

    account: Account
    reach: Reach

    def fill(self, work: WorkingOrder, price: Decimal, seen: Seen) -> Sequence[WorkingOrder]:
        """Fill what may be filled of an order; returns the orders that waited for that."""

    def finish(self, work: WorkingOrder, kind: UpdateKind, reason: str = "") -> None:
        """End an order that was not filled, or not in full."""

    def is_live(self, work: WorkingOrder, bar: Bar) -> bool:
        """Whether an order is active in a bar, by its delay and by the hours of the market."""


class Crossing:
    """Shows working orders the open, then the rest of the bar, then the close.

    A fill wakes the orders that waited for it, and these may trade in what is left of the bar.
    """

    def __init__(self, book: Orders) -> None:
        self._book = book
        self._later: list[tuple[WorkingOrder, bool]] = []
        self._closing: list[WorkingOrder] = []

    def run(self, seen: Seen, works: Sequence[WorkingOrder]) -> None:
        """``works`` are those that may trade in this bar, oldest first."""
        # What was decided by a bar from here on was not decided yet at this bar's open.
        overlapping = seen.bar.time - (seen.interval if 0 < seen.interval < DAY else 1)
        for work in works:
            if work.done:
                continue
            if work.auction:
                if opens_in(work, seen):
                    self._show(seen, work, seen.open(work.buy), whole=True)
                elif closes_in(work, seen):
                    self._closing.append(work)
            elif work.order.created_at > overlapping:
                self._closing.append(work)
            else:
                self._show(seen, work, seen.open(work.buy), whole=True)
        while self._later:
            self._trade_inside(seen)
        self._close(seen)
        for work in works:
            if work.reduce_only and not work.done and not self._book.account.reducible(work.order.symbol, work.buy):
                self._book.finish(work, UpdateKind.CANCELLED, "there is nothing to reduce")

    def at_close(self, seen: Seen, work: WorkingOrder) -> None:
        """Show an order that was made at the close that very close."""
        self._closing.append(work)
        self._close(seen)

    def _close(self, seen: Seen) -> None:
        """Show the close to those that are for it; what this wakes sees it as well, and nothing is left of the bar."""
        for work in self._closing:
            if not work.done:
                self._show(seen, work, seen.close(work.buy), whole=False)
        self._closing.clear()
        self._later.clear()

    def _show(self, seen: Seen, work: WorkingOrder, point: Decimal, whole: bool) -> None:
        """Show an order one point of the bar. ``whole``: all of the bar's range lies after that point."""
        price = at_point(work, point)
        if price is not None:
            self._fill(seen, work, price, whole)
        if work.done:
            return
        tif = work.order.time_in_force
        if work.immediate:
            self._book.finish(work, UpdateKind.CANCELLED, "what cannot be filled at once is cancelled")
        elif tif is TimeInForce.OPG:
            self._book.finish(work, UpdateKind.EXPIRED, "it was not filled in the opening auction")
        elif price is None and tif is not TimeInForce.CLS and not _ends_inside(work, seen):
            self._later.append((work, whole))

    def _trade_inside(self, seen: Seen) -> None:
        """Trade in the rest of the bar, stops first; whom this wakes comes after those that were there."""
        waiting, self._later = sorted(self._later, key=_stops_first), []
        for work, whole in waiting:
            if not work.done and not work.is_waiting:
                price = self._book.reach(work, seen, whole)
                if price is not None:
                    self._fill(seen, work, price, whole=False)

    def _fill(self, seen: Seen, work: WorkingOrder, price: Decimal, whole: bool) -> None:
        for child in self._book.fill(work, price, seen):
            if child.done or not self._book.is_live(child, seen.bar) or (not whole and _ends_inside(child, seen)):
                continue
            if not child.auction:
                self._show(seen, child, seen.across(price, work.buy, child.buy), whole)
            elif closes_in(child, seen):
                self._closing.append(child)


def opens_in(work: WorkingOrder, seen: Seen) -> bool:
    """Whether the bar holds the moment of the opening auction that the order is for; its open is the auction's."""
    return work.order.time_in_force is TimeInForce.OPG and seen.bar.time + max(seen.interval, 1) > work.auction


def closes_in(work: WorkingOrder, seen: Seen) -> bool:
    """Whether the closing auction that the order is for is the bar's close."""
    return work.order.time_in_force is TimeInForce.CLS and seen.bar.time + max(seen.interval, 1) >= work.auction


def _ends_inside(work: WorkingOrder, seen: Seen) -> bool:
    """Whether the order's time is over before the bar is, so that only the open is sure to be in time.

    A day order's session ends inside of a daily bar too, but all of that bar's range is the session's.
    """
    return work.order.time_in_force is TimeInForce.GTD and work.expires < seen.bar.time + seen.interval


def _stops_first(waiting: tuple[WorkingOrder, bool]) -> bool:
    return not waiting[0].is_stop
