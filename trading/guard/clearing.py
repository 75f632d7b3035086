"""Withdrawing orders at a venue until it has shown twice in a row that none is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from brokers.base import IBrokerage, OutOfReach
from brokers.sightings import VenueOrder
from trading.engine.errors import TradingError, VenueError

log = logging.getLogger(__name__)

#: An order that was on its way when the venue was first asked shows up in the second read.
EMPTY_READS = 2
PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 20.0


class NotEmpty(TradingError):
    """The venue still shows open orders, or does not tell."""


def clear(venue: IBrokerage, is_meant: Callable[[VenueOrder], bool], all_if_need_be: bool) -> int:
    """Withdraw the orders that are meant; how many there were.

    Where only the connection that sent an order can cancel it, ``all_if_need_be`` lets every order of the account be
    cancelled instead. Raises `NotEmpty` where they are not gone after `PATIENCE_SECONDS`, and what the venue raises
    when it is first asked.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    withdrawn: set[str] = set()
    empty = 0
    why = ""
    while empty < EMPTY_READS:
        shown = [order for order in venue.query_open_orders() if is_meant(order)]
        empty = 0 if shown else empty + 1
        withdrawn.update(order.venue_order_id for order in shown)
        why = _withdraw(venue, shown, all_if_need_be) or why
        if time.monotonic() > give_up:
            raise NotEmpty(f"{len(shown)} orders are still open at the venue. {why}".rstrip())
        if empty < EMPTY_READS:
            time.sleep(PAUSE_SECONDS)
    return len(withdrawn)


def _withdraw(venue: IBrokerage, orders: Iterable[VenueOrder], all_if_need_be: bool) -> str:
    """Ask once for each; why one was not taken. Whatever that is, the others are asked for too."""
    why, out_of_reach = "", False
    for order in orders:
        try:
            venue.withdraw(order)
        except VenueError as error:
            log.warning("order %s could not be withdrawn: %s", order.client_order_id, error)
            why, out_of_reach = str(error), out_of_reach or isinstance(error, OutOfReach)
    if out_of_reach and all_if_need_be:
        log.warning("every order of the account is cancelled, for some can be reached in no other way")
        venue.cancel_all()
    return why
