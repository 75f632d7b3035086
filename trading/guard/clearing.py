"""Withdrawing orders at a venue until it has shown twice in a row that none is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from brokers.enduring import Enduring, OutOfReach
from brokers.sightings import VenueOrder
from trading.engine.errors import TradingError, VenueError

log = logging.getLogger(__name__)

#: An order that was on its way when the venue was first asked shows up in the second read.
EMPTY_READS = 2
PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 20.0


class NotEmpty(TradingError):
    """The venue still shows open orders, or does not tell."""


def clear(venue: Enduring, is_meant: Callable[[VenueOrder], bool], all_if_need_be: bool) -> int:
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
        for order in shown:
            withdrawn.add(order.venue_order_id)
            why = _withdraw(venue, order, all_if_need_be) or why
        if time.monotonic() > give_up:
            raise NotEmpty(f"{len(shown)} orders are still open at the venue. {why}".rstrip())
        if empty < EMPTY_READS:
            time.sleep(PAUSE_SECONDS)
    return len(withdrawn)


def _withdraw(venue: Enduring, order: VenueOrder, all_if_need_be: bool) -> str:
    """Ask once; why it was not taken. Whatever that is, the others are asked for too."""
    try:
        venue.withdraw(order)
    except OutOfReach as error:
        if not all_if_need_be:
            return str(error)
        log.warning("%s: all orders of the account are cancelled", error)
        venue.cancel_all()
    except VenueError as error:
        log.warning("order %s could not be withdrawn: %s", order.client_order_id, error)
        return str(error)
    return ""
