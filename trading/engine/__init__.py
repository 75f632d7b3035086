"""The pure core: bars, orders, portfolio, strategies and the engine that ties them together.

Nothing in this package does I/O, reads a clock or knows of Django, so a backtest and a live session can only differ
in what drives it. What a strategy needs is imported from here: `from trading.engine import Bar, Context, IStrategy`.
"""

from trading.engine.bars import Bar, Timeframe
from trading.engine.engine import Engine
from trading.engine.errors import InvalidValue, TradingError
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.strategy import Context, IStrategy
from trading.engine.symbols import Symbol

__all__ = [
    "Bar",
    "Context",
    "Engine",
    "IStrategy",
    "InvalidValue",
    "OrderRecord",
    "OrderRequest",
    "OrderStatus",
    "OrderType",
    "Side",
    "Symbol",
    "TimeInForce",
    "Timeframe",
    "TradingError",
]
