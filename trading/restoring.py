"""A run's state, as far as its ledger tells it."""

from __future__ import annotations

from trading.engine.bars import to_nanos
from trading.engine.orders import OPEN_STATUSES, OrderRecord, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.state import RunState
from trading.models import Order, Run


def restored(run: Run) -> RunState:
    """Cash, positions and open orders, so that what a venue tells of them can be booked."""
    state = RunState(run.recipe.get("universe", ()), run.starting_cash)
    portfolio = state.portfolio
    if run.cash is not None:
        portfolio.cash = run.cash
    for row in run.positions.all():
        held = portfolio.position(row.symbol)
        held.qty, held.cost, held.realized_pnl = row.qty, row.cost, row.realized_pnl
        held.units = float(row.qty * held.multiplier)
        held.last = float(row.last_price or 0)
        if held.qty:
            portfolio.held[row.symbol] = held
    for order in open_orders(run):
        portfolio.position(order.symbol)
        state.orders[order.client_order_id] = order
        state.open.add(order)
    return state


def open_orders(run: Run) -> list[OrderRecord]:
    """What is open in the ledger, oldest first."""
    rows = run.orders.filter(status__in=[status.value for status in OPEN_STATUSES]).order_by("seq")
    return [as_record(row) for row in rows]


def as_record(order: Order) -> OrderRecord:
    return OrderRecord(
        id=order.id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=Side(order.side),
        qty=order.qty,
        type=OrderType(order.type),
        time_in_force=TimeInForce(order.time_in_force),
        limit_price=order.limit_price,
        created_at=to_nanos(order.created_at),
        signal=order.signal,
        reason=order.reason,
        stop_price=order.stop_price,
        trail_amount=order.trail_amount,
        trail_percent=order.trail_percent,
        expires_at=None if order.expires_at is None else to_nanos(order.expires_at),
        extended_hours=order.extended_hours,
        reduce_only=order.reduce_only,
        parent_id=order.parent_id,
        group=order.group_id,
        replaces=order.replaces,
        external=order.external,
        status=OrderStatus(order.status),
        filled_qty=order.filled_qty,
        avg_fill_price=order.avg_fill_price,
        venue_order_id=order.venue_order_id,
        sizing=order.sizing,
    )
