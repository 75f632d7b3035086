"""The pure core: bars, orders, portfolio, strategies and the engine that ties them together.

Nothing in this package does I/O, reads a clock or knows of Django, so a backtest and a live session can only differ
in what drives it. What a strategy needs is imported from here: `from trading.engine import Bar, Context, IStrategy`.
"""

from trading.engine.bars import Bar, Timeframe
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue, TradingError
from trading.engine.instruments import Instrument, instrument_of
from trading.engine.linked import bracket, one_cancels_other, one_triggers_other
from trading.engine.orders import (
    CancelRequest,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    OrderType,
    ReplaceRequest,
    Request,
    Side,
    TimeInForce,
)
from trading.engine.strategy import Context, IStrategy
from trading.engine.symbols import Symbol

__all__ = [
    "Bar",
    "CancelRequest",
    "Context",
    "Engine",
    "IStrategy",
    "Instrument",
    "InvalidValue",
    "OrderRecord",
    "OrderRequest",
    "OrderStatus",
    "OrderType",
    "ReplaceRequest",
    "Request",
    "Side",
    "Symbol",
    "TimeInForce",
    "Timeframe",
    "TradingError",
    "bracket",
    "instrument_of",
    "one_cancels_other",
    "one_triggers_other",
]
