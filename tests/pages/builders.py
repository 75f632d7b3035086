"""Runs with a history, booked through the ledger as sessions book theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.ledger.builders import Trading, new_run
from trading import ledger
from trading.engine.bars import to_nanos
from trading.engine.orders import OrderStatus, Side
from trading.engine.records import Kind, plain
from trading.models import Run, RunStatus

MODEL = "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1"
PIPELINE = "urn:alphaswarm:pipeline:prod:alpaca_mean_reversion_loop"


def state_of(trading: Trading) -> dict[str, Any]:
    """What a session flushes; `trading.paper_trading` writes the same."""
    held = [
        {
            "symbol": one.symbol,
            "qty": plain(one.qty),
            "avg_price": plain(one.avg_price),
            "last_price": repr(one.last),
            "unrealized_pnl": plain(one.unrealized_pnl),
            "realized_pnl": plain(one.realized_pnl),
        }
        for one in trading.portfolio.positions.values()
        if one.qty
    ]
    book = trading.portfolio
    return {
        "equity": plain(book.equity),
        "cash": plain(book.cash),
        "positions": held,
        "bars": trading.fills,
        "fills": trading.fills,
        "time": trading.now,
    }


def session(name: str = "demo", *, began: datetime | None = None, **columns: Any) -> Trading:
    """A session on made-up prices that has just begun to run."""
    began = began or datetime.now(UTC) - timedelta(minutes=5)
    recipe = {"name": name, "universe": ["SPY", "BAC"], "strategy": {"class": "SmaCrossStrategy"}}
    given = {
        "synthetic": True,
        "recipe": recipe,
        "model_urn": MODEL,
        "pipeline_urn": PIPELINE,
        "created_by": "operator",
    }
    trading = Trading(new_run(name=name, **{**given, **columns}))
    trading.now = to_nanos(began)
    ledger.append_now(trading.run.id, [trading.status("running", started_at=began.isoformat())])
    return trading


def buys(trading: Trading, symbol: str = "SPY", qty: str = "10", side: Side = Side.BUY) -> None:
    """The session trades once, marks its equity and flushes its state."""
    records = trading.filled_order(symbol=symbol, side=side, qty=Decimal(qty))
    ledger.append_now(trading.run.id, records, points=[trading.point()], state=state_of(trading))


def rests(trading: Trading, symbol: str = "BAC", limit: str = "99.5") -> None:
    """The session leaves an order resting at the venue."""
    order = trading.order(symbol=symbol, limit=Decimal(limit))
    intended, submitted = trading.intend(order), trading.submit(order)
    accepted = trading.step(order, OrderStatus.ACCEPTED, Kind.ORDER_ACCEPTED)
    ledger.append_now(trading.run.id, [intended, submitted, accepted])


def ends(trading: Trading, status: RunStatus = RunStatus.STOPPED, reason: str = "stopped by an operator") -> Run:
    """The session has ended now."""
    book = trading.portfolio
    figures = {
        "ended_at": datetime.now(UTC).isoformat(),
        "final_equity": plain(book.equity),
        "cash": plain(book.cash),
        "total_pnl": plain(book.equity - trading.run.starting_cash),
        "num_bars": 7,
    }
    ledger.append_now(trading.run.id, [trading.status(status.value, reason, **figures)], state=state_of(trading))
    trading.run.refresh_from_db()
    return trading.run
