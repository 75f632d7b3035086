"""The interface that a strategy fills in, and what it may see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from trading.engine.bars import Bar
from trading.engine.instruments import Instrument
from trading.engine.margin import AccountType
from trading.engine.orders import OrderRecord, OrderRequest, Request, Side
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

    def symbols(self) -> Collection[str]:
        """The universe, and whatever else the account has ever held."""

    def qty(self, symbol: str) -> Decimal:
        """Units held, negative when short, zero when flat."""

    def position(self, symbol: str) -> Position | None: ...

    def last_price(self, symbol: str) -> Decimal | None:
        """The last close, or None before the symbol's first bar."""

    def history(self, symbol: str) -> Sequence[Bar]:
        """The last `IStrategy.history` bars, oldest first, the bar at hand included."""

    def order(self, order_id: str) -> OrderRecord | None:
        """An order of this run by its id, open or not."""

    def open_orders(self, symbol: str | None = None) -> list[OrderRecord]:
        """Orders that may still trade, oldest first."""

    def has_open_order(self, symbol: str) -> bool: ...

    def open_qty(self, symbol: str, side: Side, order: OrderRecord | None = None) -> Decimal:
        """Units that open orders of this side, and one new order where given, may still add to a position: alternatives
        count once, the largest for all, reduce-only orders not at all."""

    @property
    def account(self) -> AccountType: ...

    @property
    def committed(self) -> Decimal:
        """Equity that the exposure which open orders may still add would tie up, see `trading.engine.margin`."""

    def required(self, order: OrderRecord) -> Decimal:
        """Equity that a new order would tie up beyond what is committed."""

    def unit_cost(self, order: OrderRecord | OrderRequest) -> Decimal:
        """Equity that one unit of an order would tie up where it opens exposure."""

    @property
    def buying_power(self) -> Decimal:
        """Equity that neither positions nor open orders tie up."""

    def instrument(self, symbol: str) -> Instrument:
        """Tick, lot, multiplier and, for an option, its terms; raises KeyError outside of the universe."""

    def set_timer(self, name: str, at: int, every: int = 0) -> None:
        """Have `IStrategy.on_timer` called once event time has reached ``at`` (ns), and ``every`` ns after it.

        A timer of the same name is replaced. Several due times that pass between two bars make one call.
        """

    def cancel_timer(self, name: str) -> None: ...


class IStrategy(ABC):
    """A trading idea: bars in, requests out.

    One instance serves one run. It must not do I/O or read a clock, and behaves the same in a backtest, on paper and
    live. Set ``history`` to the number of past bars per symbol to be kept for it.

    What a strategy has learned lies in ``state``, a `msgspec.Struct` (indicators are such structs too), so that a
    snapshot of a run can save it and a resumed run can restore it; a strategy without memory has none.

    ``sizes_itself`` says that its quantities follow from each other (inventories, hedges, portfolios), so that a recipe
    may not size its orders by another rule.
    """

    history: int = 0
    sizes_itself: bool = False
    state: msgspec.Struct | None = None

    @abstractmethod
    def on_bar(self, bar: Bar, context: Context) -> Sequence[Request]:
        """Called once per bar, at its close; returns what is wanted now: orders, cancels, replaces, or nothing."""

    def on_timer(self, name: str, context: Context) -> Sequence[Request]:
        """Called when a timer is due, before the bar that has reached its time."""
        return ()
