"""What a run looks like at one moment, as JSON-ready extras of frames and as its flushed state."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading.engine.bars import Bar
from trading.engine.engine import Engine
from trading.engine.memory import saved
from trading.engine.portfolio import ZERO
from trading.engine.records import plain


def bar_extras(bar: Bar) -> dict[str, Any]:
    return {
        "symbol": bar.symbol,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
    }


def account_of(engine: Engine, equity: Decimal) -> dict[str, Any]:
    """Equity, cash, and every position that was ever traded, money as plain text."""
    return {
        "equity": plain(equity),
        "cash": plain(engine.cash),
        "positions": [
            {
                "symbol": position.symbol,
                "qty": plain(position.qty),
                "avg_price": plain(position.avg_price),
                "last_price": plain(engine.last_price(position.symbol) or ZERO),
                "unrealized_pnl": plain(position.unrealized_pnl),
                "realized_pnl": plain(position.realized_pnl),
            }
            for position in engine.portfolio.positions.values()
            if position.qty or position.realized_pnl
        ],
    }


def state_of(engine: Engine, equity: Decimal) -> dict[str, Any]:
    """The account, how it stands by its risk rules, how far the run has come, and what was learned: the
    strategy's memory and timers, and what sizes its orders, where something does."""
    sizer = engine.agent.sizer
    return {
        **account_of(engine, equity),
        "bars": engine.bars,
        "fills": engine.fills,
        "time": engine.now,
        "memory": saved(engine.strategy),
        "timers": engine.timers.saved(),
        **({"sizing": saved(sizer)} if sizer is not None else {}),
        "risk": {**engine.agent.report(engine), "memory": engine.agent.saved()},
    }
