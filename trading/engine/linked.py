"""Orders that depend on each other, as one request each."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trading.engine.orders import OrderRequest, OrderType, Side, TimeInForce


def bracket(
    entry: OrderRequest,
    take_profit: Decimal,
    stop_loss: Decimal,
    stop_limit: Decimal | None = None,
    time_in_force: TimeInForce = TimeInForce.GTC,
) -> OrderRequest:
    """``entry`` with a limit order at ``take_profit`` and a stop at ``stop_loss``, for as much as the entry fills.

    With ``stop_limit`` the stop becomes a limit order at that price. What one exit fills the other loses.
    """
    exit_side = Side.SELL if entry.side is Side.BUY else Side.BUY
    target = OrderRequest(
        symbol=entry.symbol,
        side=exit_side,
        qty=entry.qty,
        type=OrderType.LIMIT,
        time_in_force=time_in_force,
        limit_price=take_profit,
        reduce_only=True,
        reason="take profit",
    )
    stop = OrderRequest(
        symbol=entry.symbol,
        side=exit_side,
        qty=entry.qty,
        type=OrderType.STOP if stop_limit is None else OrderType.STOP_LIMIT,
        time_in_force=time_in_force,
        limit_price=stop_limit,
        stop_price=stop_loss,
        reduce_only=True,
        reason="stop loss",
    )
    return msgspec.structs.replace(entry, then=(target, stop))


def one_cancels_other(first: OrderRequest, second: OrderRequest) -> OrderRequest:
    """Two orders of the same quantity: what one fills the other loses."""
    return msgspec.structs.replace(first, instead=(second,))


def one_triggers_other(first: OrderRequest, second: OrderRequest) -> OrderRequest:
    """``second`` waits for ``first`` and never trades more than it has filled."""
    return msgspec.structs.replace(first, then=(second,))
