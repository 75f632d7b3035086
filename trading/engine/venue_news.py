"""What the venue says, booked into the state of a run."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from trading.engine.errors import InvalidValue
from trading.engine.ordering import external_order
from trading.engine.orders import FINAL_STATUSES, OPEN_STATUSES, OrderRecord, OrderStatus
from trading.engine.records import Fill, Kind, Record, plain
from trading.engine.state import RunState
from trading.engine.updates import (
    NEWS_TO,
    STATE_AFTER,
    CashUpdate,
    ExternalOrder,
    OrderUpdate,
    UpdateKind,
    VenueUpdate,
)

# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_FILL: Final = UpdateKind.FILL
_CANCEL_REFUSED: Final = UpdateKind.CANCEL_REFUSED
_INTENDED: Final = OrderStatus.INTENDED
_PENDING_CANCEL: Final = OrderStatus.PENDING_CANCEL
_FILLED: Final = OrderStatus.FILLED
_ORDER_FILLED: Final = Kind.ORDER_FILLED
#: No venue trades so many units, at such a price or for so much money; what says so is garbled, and exact no more.
_MOST: Final = Decimal(10**15)


class VenueNews:
    """Takes updates in any order: what was said before is ignored, what ended stays ended, a late fill is booked.

    What leaves no fact does not move the run's time, so that the facts alone bring a run to where it was.
    """

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._executions: set[str] = set()

    def take(self, update: VenueUpdate) -> None:
        """Book one update; raises `InvalidValue` for an order that the run does not know and for what cannot be."""
        state = self._state
        if not isinstance(update, OrderUpdate):
            if isinstance(update, ExternalOrder):
                self._external(update)
            else:
                self._cash(update)
            return
        order = state.orders.get(update.client_order_id)
        if order is None:
            raise InvalidValue(f"update for an unknown order {update.client_order_id}")
        if order.status is _INTENDED:
            # It has left, and whoever sent it was lost before that was written.
            state.on_submitted(order)
        if update.venue_order_id is not None:
            order.venue_order_id = update.venue_order_id
        if update.kind is _FILL:
            self._fill(order, update)
        elif update.kind is _CANCEL_REFUSED:
            self._restore(order, update)
        else:
            self._turn(order, update)
        if order.status in FINAL_STATUSES:
            state.open.remove(order)

    def _turn(self, order: OrderRecord, update: OrderUpdate) -> None:
        status, kind = STATE_AFTER[update.kind]
        news_to = NEWS_TO.get(update.kind, OPEN_STATUSES)
        if order.status is _PENDING_CANCEL and order.before_cancel in news_to:
            order.before_cancel = status
        if order.status not in news_to:
            return
        self._reach(update.time)
        order.move_to(status)
        order.reason = update.reason or order.reason
        self._state.records.append(Record(kind, update.time, order, None, update.reason))
        if self._state.observer is not None and status in FINAL_STATUSES:
            self._state.observer.on_ended(order, update.time)

    def _restore(self, order: OrderRecord, update: OrderUpdate) -> None:
        if order.status is not _PENDING_CANCEL:
            return
        self._reach(update.time)
        order.move_to(OrderStatus.PARTIALLY_FILLED if order.filled_qty else order.before_cancel)
        data = {"status": order.status.value}
        record = Record(Kind.ORDER_CANCEL_REFUSED, update.time, order, reason=update.reason, data=data)
        self._state.records.append(record)

    def _fill(self, order: OrderRecord, update: OrderUpdate) -> None:
        if update.execution_id in self._executions:
            return
        qty, price = update.qty, update.price
        # Only what the venue does by itself has no price: an option expires worthless.
        priced = _is_figure(price) or (order.external and price == 0)
        if not (priced and update.execution_id and _is_figure(qty) and _is_amount(update.fee)):
            raise InvalidValue(f"a fill of order {order.id} that cannot be: {qty} at {price}, {update.execution_id!r}")
        state = self._state
        self._reach(update.time)
        filled = order.filled_qty + qty
        _go_on_filled(order, filled)
        self._executions.add(update.execution_id)
        position = state.portfolio.trade(order.symbol, order.side, qty, price, update.fee)
        previous = order.avg_fill_price
        order.avg_fill_price = price if previous is None else (previous * order.filled_qty + price * qty) / filled
        order.filled_qty = filled
        state.fills += 1
        state.open.filled(order, qty)
        # By position: names would cost as much as all the rest.
        fill = Fill(
            update.execution_id,
            order.symbol,
            order.side,
            qty,
            price,
            update.fee,
            state.portfolio.cash,
            position.qty,
            position.cost,
            position.avg_price,
            position.realized_pnl,
            order.status,
            filled,
            order.avg_fill_price,
        )
        state.records.append(Record(_ORDER_FILLED, update.time, order, fill, update.reason))
        if state.observer is not None:
            state.observer.on_fill(order, fill, update.time)
        if filled > order.qty:
            state.halt("overfill", f"an order for {order.qty} {order.symbol} was filled for {filled}")

    def _external(self, told: ExternalOrder) -> None:
        state, terms = self._state, told.terms
        if told.client_order_id in state.orders:
            return
        if not _is_figure(terms.qty):
            raise InvalidValue(f"the venue tells of order {told.client_order_id} for {terms.qty} {terms.symbol}")
        self._reach(told.time)
        order = external_order(told, state.portfolio.position(terms.symbol).qty)
        state.orders[order.client_order_id] = order
        state.open.add(order)
        state.records.append(Record(Kind.ORDER_EXTERNAL, told.time, order, reason=told.reason))

    def _cash(self, update: CashUpdate) -> None:
        if not _is_amount(update.amount):
            raise InvalidValue(f"the venue tells of {update.amount} for {update.code}, which is no amount")
        self._reach(update.time)
        portfolio = self._state.portfolio
        portfolio.pay(update.amount)
        data = {"code": update.code, "amount": plain(update.amount), "symbol": update.symbol}
        data["cash"] = plain(portfolio.cash)
        self._state.records.append(Record(Kind.CASH, update.time, reason=update.reason, data=data))

    def _reach(self, time: int) -> None:
        if time > self._state.now:
            self._state.now = time


def _go_on_filled(order: OrderRecord, filled: Decimal) -> None:
    """Enter the state after a fill. A part of an order ends no cancel that is under way and revives nothing."""
    if filled >= order.qty:
        order.move_to(_FILLED)
    elif order.status is not _PENDING_CANCEL and order.status not in FINAL_STATUSES:
        order.move_to(OrderStatus.PARTIALLY_FILLED)


def _is_figure(value: Decimal) -> bool:
    return value.is_finite() and 0 < value < _MOST


def _is_amount(value: Decimal) -> bool:
    return value.is_finite() and -_MOST < value < _MOST
