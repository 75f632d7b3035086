"""From what a venue shows of an order, in any order and any number of times, to what is new. Pure.

A venue's stream, its list of orders and its answer to a question overlap, come late, twice or not at all. Each of them
is a sighting: the order's state and how much of it is filled by now. `Sightings` turns a series of them into the
updates that the engine takes, each fact once.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from trading.engine.orders import OrderRequest
from trading.engine.updates import OrderUpdate, UpdateKind

ZERO: Final = Decimal(0)
#: Averages have few digits, so that a price derived from two of them is no better than this.
_PRICE_STEP: Final = Decimal("1e-10")
_ENDS: Final = frozenset({UpdateKind.REJECTED, UpdateKind.CANCELLED, UpdateKind.EXPIRED, UpdateKind.REPLACED})


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue shows it at ``time`` (ns); raises ValueError for one that cannot be.

    ``state`` is ``accepted``, one of the ends, ``unknown`` where the venue has a word for it that nobody here knows, or
    None where it says nothing new (it is on its way, or filled). ``filled_qty`` units are filled by now, at
    ``avg_price`` on average (quote currency per unit), for ``fee`` in all. ``client_order_id`` is empty where the venue
    has none. ``terms`` are what it was asked for.
    """

    client_order_id: str
    venue_order_id: str
    state: UpdateKind | None
    terms: OrderRequest
    time: int
    filled_qty: Decimal = ZERO
    avg_price: Decimal = ZERO
    fee: Decimal = ZERO
    reason: str = ""

    def __post_init__(self) -> None:
        for name in (self.venue_order_id, self.terms.symbol):
            if not isinstance(name, str) or not name:
                raise ValueError(f"{name!r} names no order and no symbol")
        if self.terms.qty <= 0 or self.filled_qty < 0 or (self.filled_qty and self.avg_price <= 0):
            filled = f"{self.filled_qty} filled at {self.avg_price}"
            raise ValueError(f"order {self.venue_order_id} for {self.terms.qty} units cannot have {filled}")

    @property
    def is_filled(self) -> bool:
        return self.filled_qty >= self.terms.qty

    @property
    def is_over(self) -> bool:
        return self.state in _ENDS or self.is_filled


def execution_name(venue_order_id: str, filled: Decimal) -> str:
    """The name of the execution that has filled an order so far, where a venue tells an order's progress alone."""
    return f"{venue_order_id}/{filled.normalize():f}"


class _Seen:
    __slots__ = ("fee", "filled", "over", "state", "time", "value")

    def __init__(self) -> None:
        self.time = 0
        self.state: UpdateKind | None = None
        self.over = False
        self.filled = ZERO
        self.value = ZERO
        self.fee = ZERO


class Sightings:
    """What has been seen of a venue's orders so far."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def know(self, venue_order_id: str, filled: Decimal, value: Decimal, fee: Decimal, accepted: bool = True) -> None:
        """So much of an order is known from elsewhere: ``filled`` units for ``value``, with ``fee``, and whether
        it was ``accepted``."""
        seen = self._seen.setdefault(venue_order_id, _Seen())
        seen.state = UpdateKind.ACCEPTED if accepted else None
        seen.filled, seen.value, seen.fee = filled, value, fee

    def begin_anew(self, venue_order_id: str) -> Decimal:
        """From here on the order goes by another name, under which it has yet to be accepted; what was filled so far
        stays with the old one, and is returned."""
        seen = self._seen.setdefault(venue_order_id, _Seen())
        seen.state = None
        return seen.filled

    def filled(self, venue_order_id: str) -> Decimal:
        """How many units of the order are known to be filled."""
        seen = self._seen.get(venue_order_id)
        return ZERO if seen is None else seen.filled

    def is_over(self, venue_order_id: str) -> bool:
        """Whether the order was seen at its end."""
        seen = self._seen.get(venue_order_id)
        return seen is not None and seen.over

    def correct(self, order: VenueOrder, for_sure: bool = False) -> Decimal:
        """How much more (or, below zero, less) this sighting says was paid for the units that are known to be filled.

        An average that has changed though no unit was added is a correction where the sighting is newer than all
        before, or the venue says so (``for_sure``). What the books of an earlier process have may have been corrected
        already: the first sighting says where such an order begins.
        """
        seen = self._seen.get(order.venue_order_id)
        if seen is None or not seen.filled or order.filled_qty != seen.filled:
            return ZERO
        value, before = order.avg_price * order.filled_qty, seen.value
        if not for_sure and order.time <= seen.time:
            return ZERO
        seen.value = value
        return value - before if seen.time or for_sure else ZERO

    def take(self, order: VenueOrder, client_order_id: str) -> list[OrderUpdate]:
        """The updates that this sighting brings for the order that is known as ``client_order_id``.

        A fill is the growth of the filled quantity, at the price that explains the new average; its execution id names
        the quantity reached, so that the same growth seen twice is one execution. An older sighting brings nothing. A
        state that nobody knows makes an order unknown that was not seen before, and tells nothing of another.
        """
        seen = self._seen.setdefault(order.venue_order_id, _Seen())
        seen.over = seen.over or order.is_over
        updates = []
        if order.state is UpdateKind.UNKNOWN and seen.state is None:
            seen.state = UpdateKind.UNKNOWN
            updates.append(self._update(UpdateKind.UNKNOWN, order, client_order_id))
        elif seen.state in (None, UpdateKind.UNKNOWN) and order.state not in (UpdateKind.UNKNOWN, UpdateKind.REJECTED):
            seen.state = UpdateKind.ACCEPTED
            updates.append(self._update(UpdateKind.ACCEPTED, order, client_order_id))
        if order.filled_qty > seen.filled:
            updates.append(self._growth(order, client_order_id, seen))
        if order.state in _ENDS and seen.state not in _ENDS:
            seen.state = order.state
            updates.append(self._update(order.state, order, client_order_id))
        seen.time = max(seen.time, order.time)
        return updates

    def _growth(self, order: VenueOrder, client_order_id: str, seen: _Seen) -> OrderUpdate:
        qty, value = order.filled_qty - seen.filled, order.avg_price * order.filled_qty
        explains = (value - seen.value) / qty
        update = OrderUpdate(
            UpdateKind.FILL,
            client_order_id,
            order.time,
            venue_order_id=order.venue_order_id,
            execution_id=execution_name(order.venue_order_id, order.filled_qty),
            qty=qty,
            # Where earlier fills were corrected, no price explains the new average.
            price=(explains if explains > 0 else order.avg_price).quantize(_PRICE_STEP),
            fee=max(order.fee - seen.fee, ZERO),
        )
        seen.filled, seen.value, seen.fee = order.filled_qty, value, max(order.fee, seen.fee)
        return update

    def _update(self, kind: UpdateKind, order: VenueOrder, client_order_id: str) -> OrderUpdate:
        return OrderUpdate(kind, client_order_id, order.time, venue_order_id=order.venue_order_id, reason=order.reason)
