"""Rows of the ledger as JSON-ready dicts: one shape for the API, the command line and the sockets.

Money, prices and quantities are plain decimal text, so that no digit is lost; times are ISO 8601, UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trading.engine.records import plain
from trading.models import Bot, BotVersion, EquityPoint, Fill, Order, Position, Run


def moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def run_row(run: Run) -> dict[str, Any]:
    """``num_bars`` of a run that goes on is that of its last flushed state."""
    return {
        "id": str(run.id),
        "task_id": run.task_id,
        "bot_id": None if run.bot_id is None else str(run.bot_id),
        "bot_version": None if run.bot_version_id is None else run.bot_version.number,
        "name": run.name,
        "mode": run.mode,
        "venue": run.venue,
        "synthetic": run.synthetic,
        "status": run.status,
        "reason": run.reason,
        "starting_cash": plain(run.starting_cash),
        "cash": None if run.cash is None else plain(run.cash),
        "final_equity": None if run.final_equity is None else plain(run.final_equity),
        "total_pnl": None if run.total_pnl is None else plain(run.total_pnl),
        "num_bars": max(run.num_bars, run.state.get("bars") or 0),
        "num_fills": run.num_fills,
        "ledger_hash": run.ledger_hash,
        "sharpe": run.metrics.get("sharpe"),
        "total_return": run.metrics.get("total_return"),
        "max_drawdown": run.metrics.get("max_drawdown"),
        "model_urn": run.model_urn,
        "pipeline_urn": run.pipeline_urn,
        "created_by": run.created_by,
        "created_at": moment(run.created_at),
        "started_at": moment(run.started_at),
        "ended_at": moment(run.ended_at),
    }


def run_detail(run: Run) -> dict[str, Any]:
    return {**run_row(run), "recipe": run.recipe, "state": run.state, "metrics": run.metrics}


def order_row(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "run_id": str(order.run_id),
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "time_in_force": order.time_in_force,
        "qty": plain(order.qty),
        "filled_qty": plain(order.filled_qty),
        "limit_price": None if order.limit_price is None else plain(order.limit_price),
        "stop_price": None if order.stop_price is None else plain(order.stop_price),
        "trail_amount": None if order.trail_amount is None else plain(order.trail_amount),
        "trail_percent": None if order.trail_percent is None else plain(order.trail_percent),
        "expires_at": moment(order.expires_at),
        "extended_hours": order.extended_hours,
        "reduce_only": order.reduce_only,
        "parent_id": order.parent_id or None,
        "group_id": order.group_id or None,
        "replaces": order.replaces or None,
        "external": order.external,
        "sizing": order.sizing,
        "avg_fill_price": None if order.avg_fill_price is None else plain(order.avg_fill_price),
        "status": order.status,
        "signal": order.signal,
        "reason": order.reason,
        "created_at": moment(order.created_at),
        "updated_at": moment(order.updated_at),
    }


def fill_row(fill: Fill) -> dict[str, Any]:
    return {
        "id": fill.id,
        "run_id": str(fill.run_id),
        "order_id": fill.order_id,
        "venue_execution_id": fill.venue_execution_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "qty": plain(fill.qty),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "filled_at": moment(fill.filled_at),
    }


def position_row(position: Position) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "qty": plain(position.qty),
        "avg_price": plain(position.avg_price),
        "cost": plain(position.cost),
        "realized_pnl": plain(position.realized_pnl),
    }


def equity_row(point: EquityPoint) -> dict[str, Any]:
    return {"time": moment(point.time), "equity": plain(point.equity), "cash": plain(point.cash)}


def version_row(version: BotVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "sha256": version.sha256,
        "recipe": version.recipe,
        "created_at": moment(version.created_at),
    }


def bot_row(bot: Bot) -> dict[str, Any]:
    return {"id": str(bot.id), "name": bot.name, "created_at": moment(bot.created_at)}
