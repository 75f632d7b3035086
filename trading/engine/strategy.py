"""The interface that a strategy fills in, and what it may see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from trading.engine.bars import Bar
from trading.engine.orders import OrderRecord, OrderRequest
from trading.engine.portfolio import Position


class Context(Protocol):
    """A read-only view of the run, given to strategies and to risk rules alike."""

    @property
    def now(self) -> int:
        """Event time in nanoseconds since the epoch: the stamp of the bar at hand."""

    @property
    def universe(self) -> tuple[str, ...]: ...

    @property
    def cash(self) -> Decimal: ...

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at their last closes."""

    def qty(self, symbol: str) -> Decimal:
        """Units held, negative when short, zero when flat."""

    def position(self, symbol: str) -> Position | None: ...

    def last_price(self, symbol: str) -> Decimal | None:
        """The last close, or None before the symbol's first bar."""

    def history(self, symbol: str) -> Sequence[Bar]:
        """The last `IStrategy.history` bars, oldest first, the bar at hand included."""

    def open_orders(self, symbol: str | None = None) -> list[OrderRecord]:
        """Orders that may still trade, oldest first."""

    def has_open_order(self, symbol: str) -> bool: ...

    @property
    def committed(self) -> Decimal:
        """Notional of the exposure that open orders may still add."""


class IStrategy(ABC):
    """A trading idea: bars in, order requests out.

    One instance serves one run. It may keep any state of its own, must not do I/O or read a clock, and behaves the same
    in a backtest, on paper and live. Set ``history`` to the number of past bars per symbol to be kept for it.
    """

    history: int = 0

    @abstractmethod
    def on_bar(self, bar: Bar, context: Context) -> list[OrderRequest]:
        """Called once per bar, at its close; returns the orders that are wanted now, or an empty list."""
