"""Orders that are to be changed. Interactive Brokers changes an order in its place: number, permanent id and reference
stay, and its quantity counts what was filled before."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from brokers.base import Recalled
from brokers.ibkr import mapping
from brokers.known_orders import REPLACE_SECONDS, KnownOrders, unsettled
from brokers.sightings import VenueOrder
from trading.engine.bars import to_nanos
from trading.engine.orders import OrderRecord, OrderRequest
from trading.engine.updates import OrderUpdate, UpdateKind

if TYPE_CHECKING:
    from brokers.ibkr.wire import Order, Trade


@dataclass
class Change:
    """``by`` is to take the place of ``order``, of which ``base`` units were filled when the venue was asked.

    What is filled beyond them belongs to whichever of the two the venue then says it has: it is ``held`` until it is
    known. ``refused`` is why it is not ``by``. One that another process may have asked for has the base 0, and is made
    once the order is not what it ``was`` any more.
    """

    order: OrderRecord
    by: OrderRecord
    base: Decimal
    wanted: Order
    was: Order | None = None
    held: list[Any] = field(default_factory=list)
    done: bool = False
    refused: str = ""
    asked: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """Seconds since the venue was asked, or the change was taken up."""
        return time.monotonic() - self.asked

    def is_made(self, trade: Trade) -> bool:
        """Whether the venue shows the order with the new terms."""
        shown, wanted = _terms(trade.order), _terms(self.wanted)
        if self.was is None:
            return shown == wanted
        return shown[1:] == wanted[1:] and shown != _terms(self.was)

    def holds(self, execution: Any) -> bool:
        return not self.done and mapping.figure(execution.cumQty) > self.base

    @property
    def terms(self) -> OrderRequest:
        """What the new order was asked for, as it is shown once it is there."""
        return OrderRequest(
            symbol=self.by.symbol,
            side=self.by.side,
            qty=self.by.qty,
            type=self.by.type,
            time_in_force=self.by.time_in_force,
            limit_price=self.by.limit_price,
            stop_price=self.by.stop_price,
        )


class Changes:
    """The changes that are under way, and whose the executions of a changed order are. To be used in the wire's loop.

    ``trades`` are the venue's orders by our names for them; ``take`` takes an execution that was held, once it is known
    whose it is; ``is_of_today`` tells of which orders the venue tells what became of them.
    """

    def __init__(
        self,
        trades: dict[str, Trade],
        known: KnownOrders,
        tell: Callable[[Sequence[OrderUpdate]], None],
        take: Callable[[Any], None],
        is_of_today: Callable[[OrderRecord], Awaitable[bool]],
    ) -> None:
        self._trades = trades
        self._known = known
        self._tell = tell
        self._take = take
        self._is_of_today = is_of_today
        self._under_way: dict[int, Change] = {}
        self._recalled: dict[str, Change] = {}
        self._befores: dict[int, list[tuple[Decimal, str]]] = {}

    def begin(self, trade: Trade, change: Change) -> None:
        """The venue is about to be asked."""
        self._trades[change.by.client_order_id] = trade
        self._under_way[trade.order.orderId] = change

    def has(self, number: int) -> bool:
        """Whether the order of this number is being changed."""
        return number in self._under_way

    def settle(self, trade: Trade, refusal: str = "") -> None:
        """Whether an order that is to be changed has been, has ended meanwhile, or is not to be changed at all."""
        change = self._under_way.get(trade.order.orderId)
        if change is not None and (change.is_made(trade) or is_done(trade) or refusal):
            del self._under_way[trade.order.orderId]
            self._conclude(change, trade, refusal)

    def given_up(self, trade: Trade) -> str:
        """Why a change that the venue does not show is not waited for any longer; empty while it is."""
        change = self._under_way.get(trade.order.orderId)
        is_late = change is not None and change.age > REPLACE_SECONDS
        return "ibkr goes on with the terms of the order whose place it was to take" if is_late else ""

    def hold(self, fill: Any) -> bool:
        """Keep an execution while nobody knows whose it is."""
        execution = fill.execution
        change = self._under_way.get(execution.orderId) or self._recalled.get(str(execution.permId))
        if change is None or not change.holds(execution):
            return False
        change.held.append(fill)
        return True

    def before(self, execution: Any) -> str:
        """The order whose place another one took, where an execution is of before that; else empty."""
        reached = mapping.figure(execution.cumQty)
        return next((name for base, name in self._befores.get(execution.permId, ()) if reached <= base), "")

    def _conclude(self, change: Change, trade: Trade | None, refusal: str = "") -> None:
        change.done = True
        if trade is not None and change.is_made(trade):
            self._take_place(trade, change)
        else:
            change.refused = refusal or "ibkr: the order whose place it was to take has ended"
            self._trades.pop(change.by.client_order_id, None)
            now = to_nanos(datetime.now(UTC))
            self._tell([OrderUpdate(UpdateKind.REJECTED, change.by.client_order_id, now, reason=change.refused)])
        self._release(change)

    def _take_place(self, trade: Trade, change: Change) -> None:
        self._trades.pop(change.order.client_order_id, None)
        base = mapping.figure(trade.order.totalQuantity) - change.by.qty
        self._befores.setdefault(trade.order.permId, []).append((base, change.order.client_order_id))
        shown = VenueOrder(
            client_order_id=change.by.client_order_id,
            venue_order_id=str(trade.order.permId),
            state=UpdateKind.ACCEPTED,
            terms=change.terms,
            time=to_nanos(datetime.now(UTC)),
        )
        self._known.replace(shown.venue_order_id, change.order, change.by)
        self._known.see([shown])

    def _release(self, change: Change) -> None:
        for fill in change.held:
            self._take(fill)

    # Those that another process may have asked for, and has not heard about.

    def recall(self, orders: Iterable[Recalled], make: Callable[..., Order]) -> None:
        """``make`` makes an order of the client library."""
        for old, by in unsettled(orders):
            was = make(**{**mapping.order(old.order), "totalQuantity": float(old.order.qty + old.before)})
            change = Change(old.order, by, Decimal(0), make(**mapping.order(by)), was)
            self._recalled[str(old.order.venue_order_id)] = change

    async def take_up(self, shown: Iterable[Trade]) -> None:
        """Find their orders among all that are open, or that the venue still knows; what is of none has ended, before a
        change of today could be made. One of an earlier day may have been made, and is left as it is."""
        if not self._recalled:
            return
        for trade in shown:
            change = self._recalled.pop(str(trade.order.permId), None)
            if change is not None and is_done(trade):
                self._conclude(change, trade)
            elif change is not None:
                self._trades[change.order.client_order_id] = trade
                self.begin(trade, change)
        for key, change in list(self._recalled.items()):
            is_of_today = await self._is_of_today(change.by)
            if self._recalled.pop(key, None) is not None and is_of_today:
                self._conclude(change, None)

    def forget(self, number: int, by: OrderRecord) -> None:
        """A change that another process may have asked for is asked for now."""
        change = self._under_way.get(number)
        if change is not None and change.was is not None and change.by.id == by.id:
            del self._under_way[number]
            change.done = True
            self._release(change)


def _terms(order: Order) -> tuple[float, float, float]:
    """What a change may change; a price that the order has not is sent as unset, and shown as zero."""
    return order.totalQuantity, _price(order.lmtPrice), _price(order.auxPrice)


def _price(value: float) -> float:
    return 0.0 if abs(value) >= mapping.UNSET else value


def filled(trade: Any) -> Decimal:
    """What is known to be filled of an order, by its state or by its executions, whichever knows more."""
    return max(mapping.figure(trade.orderStatus.filled), mapping.figure(trade.filled()))


def is_done(trade: Any) -> bool:
    return bool(trade.isDone())
