"""The orders of a run that may still trade, and what they may still add to its exposure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import takewhile
from typing import Final

from trading.engine.orders import OrderRecord, Side
from trading.engine.portfolio import ZERO, Position

#: Equity that one unit of an order ties up where it opens exposure.
UnitCost = Callable[[OrderRecord], Decimal]

# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL


class _Side:
    """The plain open orders of one side of a symbol in sum: units and what they tie up if all of them open."""

    __slots__ = ("cost", "qty")

    def __init__(self) -> None:
        self.qty = self.cost = ZERO


class _Book:
    """One symbol's open orders. ``special`` are those that a sum does not do justice to: linked or reduce-only.

    The sums are made when somebody asks for them, kept from then on, and forgotten with the last order: a symbol that
    has one order at a time never needs them.
    """

    __slots__ = ("buys", "committed", "is_summed", "orders", "sells", "special")

    def __init__(self) -> None:
        self.orders: dict[str, OrderRecord] = {}
        self.special: dict[str, OrderRecord] = {}
        self.committed = ZERO
        self.forget()

    def forget(self) -> None:
        self.is_summed = False
        self.buys = _Side()
        self.sells = _Side()

    def side(self, side: Side) -> _Side:
        return self.buys if side is _BUY else self.sells


class OpenOrders:
    """Orders by id and by symbol, with running sums, so that asking what is committed costs the same for one order as
    for a thousand.

    What is committed in a symbol is the greater of what its open buys and its open sells may come to: whatever the
    order in which they fill, what one side opens the other closes first. Units that close what is held tie up nothing;
    the dearest units are taken to be those that open. Linked alternatives count once. A reduce-only order opens
    nothing, but may use up the position that another order was to close.
    """

    def __init__(self, positions: Mapping[str, Position], unit_cost: UnitCost) -> None:
        self._positions = positions
        self._unit_cost = unit_cost
        self._orders: dict[str, OrderRecord] = {}
        self._unit: dict[str, Decimal] = {}
        self._books: dict[str, _Book] = {}
        self._filled: dict[str, Decimal] = {}
        self._changed: set[str] = set()
        self._committed = ZERO

    def __iter__(self) -> Iterator[OrderRecord]:
        return iter(self._orders.values())

    def __len__(self) -> int:
        return len(self._orders)

    def get(self, order_id: str) -> OrderRecord | None:
        return self._orders.get(order_id)

    def of(self, symbol: str) -> list[OrderRecord]:
        book = self._books.get(symbol)
        return [] if book is None else list(book.orders.values())

    def any_of(self, symbol: str) -> bool:
        book = self._books.get(symbol)
        return book is not None and bool(book.orders)

    def add(self, order: OrderRecord) -> None:
        symbol, key = order.symbol, order.client_order_id
        book = self._books.get(symbol)
        if book is None:
            book = self._books[symbol] = _Book()
        self._orders[key] = book.orders[key] = order
        if order.group or order.reduce_only:
            book.special[key] = order
        elif book.is_summed:
            self._count(book, order, order.remaining_qty)
        self._changed.add(symbol)

    def remove(self, order: OrderRecord) -> None:
        """Forget an order that has ended; one that is not open is no error."""
        key = order.client_order_id
        if self._orders.pop(key, None) is None:
            return
        book = self._books[order.symbol]
        del book.orders[key]
        special = book.special.pop(key, None) is not None
        if book.is_summed:
            if not book.orders:
                book.forget()
            elif not special:
                self._count(book, order, -order.remaining_qty)
            self._unit.pop(key, None)
        self._changed.add(order.symbol)

    def filled(self, order: OrderRecord, qty: Decimal) -> None:
        """Hear that ``qty`` of an order has traded, which its ``filled_qty`` counts already."""
        if order.group:
            self._filled[order.group] = self._filled.get(order.group, ZERO) + qty
        elif order.client_order_id in self._orders and not order.reduce_only:
            book = self._books[order.symbol]
            if book.is_summed:
                self._count(book, order, -qty)
        self._changed.add(order.symbol)

    def _count(self, book: _Book, order: OrderRecord, qty: Decimal) -> None:
        """Add so many units of a plain order to the sum of its side."""
        side = book.side(order.side)
        side.qty += qty
        side.cost += qty * self._unit_of(order)

    def _unit_of(self, order: OrderRecord) -> Decimal:
        """What a unit of an open order ties up, reckoned when it is first asked for."""
        unit = self._unit.get(order.client_order_id)
        if unit is None:
            unit = self._unit[order.client_order_id] = self._unit_cost(order)
        return unit

    def _sums(self, book: _Book) -> _Book:
        if not book.is_summed:
            book.is_summed = True
            for key, order in book.orders.items():
                if key not in book.special:
                    self._count(book, order, order.remaining_qty)
        return book

    @property
    def committed(self) -> Decimal:
        """Equity that open orders may still tie up."""
        while self._changed:
            symbol = self._changed.pop()
            book = self._books.get(symbol)
            if book is not None:
                now = self._committed_in(symbol, book)
                self._committed += now - book.committed
                book.committed = now
        return self._committed

    def _committed_in(self, symbol: str, book: _Book) -> Decimal:
        if not book.orders:
            return ZERO
        if len(book.orders) == 1 and not book.special:
            [order] = book.orders.values()
            return self._alone(order, order.remaining_qty)
        return max(self._opening(symbol, _BUY), self._opening(symbol, _SELL))

    def _alone(self, order: OrderRecord, qty: Decimal) -> Decimal:
        """What so many units of the only order of a symbol tie up."""
        opened = qty - self._closable(order.symbol, order.side)
        return opened * self._unit_cost(order) if opened > 0 else ZERO

    def opening(self, order: OrderRecord) -> Decimal:
        """Equity that a new order's opening part ties up: what the open orders of its side will have left to open, its
        own alternatives left out, since it may be the one that fills."""
        if order.reduce_only or not order.qty.is_finite() or order.qty <= 0:
            return ZERO
        if not order.group and not self.any_of(order.symbol):
            return self._alone(order, order.qty)
        before = self._opening(order.symbol, order.side, without=order.group)
        return max(self._opening(order.symbol, order.side, order, order.group) - before, ZERO)

    def _closable(self, symbol: str, side: Side) -> Decimal:
        """Units held that an order of this side closes before it opens any."""
        held = self._positions[symbol].qty
        if not held:
            return ZERO
        return max(-held if side is _BUY else held, ZERO)

    def required(self, order: OrderRecord) -> Decimal:
        """Equity that a new order adds to what is `committed`."""
        symbol = order.symbol
        if order.reduce_only or not self.any_of(symbol):
            return order.collateral
        here = self._opening(symbol, order.side)
        other = self._opening(symbol, _SELL if order.side is _BUY else _BUY)
        return max(self._opening(symbol, order.side, order), other) - max(here, other)

    def may_open(self, order: OrderRecord) -> bool:
        """Whether an open order was to open exposure when it was made, or would now, should those before it fill."""
        if order.reduce_only or order.collateral:
            return not order.reduce_only
        before = takewhile(lambda one: one is not order, self.of(order.symbol))
        rivals = [one for one in before if one.side is order.side and not one.reduce_only]
        return self._units([*rivals, order]) > self._closable(order.symbol, order.side)

    def open_qty(self, symbol: str, side: Side, order: OrderRecord | None = None) -> Decimal:
        """Units that open orders of this side, and one more, may add: alternatives count once, reduce-only orders not
        at all."""
        more = order if order is not None and order.side is side and not order.reduce_only else None
        book = self._books.get(symbol) or _Book()
        qty = ZERO if more is None or more.group else more.qty
        if book.special or (more is not None and more.group):
            qty += sum((units for units, _ in self._linked(book, side, more)), ZERO)
        return self._sums(book).side(side).qty + qty

    def _opening(self, symbol: str, side: Side, extra: OrderRecord | None = None, without: str = "") -> Decimal:
        """What the open orders of one side, and one more, tie up if all of them fill, but for those of one group."""
        book = self._books.get(symbol)
        plain = () if extra is None or extra.group else ((extra.qty, self._unit_cost(extra)),)
        closing = self._closable(symbol, side)
        if book is None:
            book = _Book()
        linked: list[tuple[Decimal, Decimal]] = []
        if book.special or (extra is not None and extra.group):
            linked = self._linked(book, side, extra, without)
            closing = max(closing - self._reducing(book, side), ZERO)
        of_side = self._sums(book).side(side)
        if not closing:
            return of_side.cost + sum((qty * unit for qty, unit in (*plain, *linked)), ZERO)
        opening = of_side.qty + sum((qty for qty, _ in (*plain, *linked)), ZERO) - closing
        if opening <= 0:
            return ZERO
        return _dearest(opening, [*self._plain(book, side), *plain, *linked])

    def _plain(self, book: _Book, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        for key, order in book.orders.items():
            if order.side is side and key not in book.special:
                yield order.remaining_qty, self._unit_of(order)

    def _linked(
        self, book: _Book, side: Side, extra: OrderRecord | None = None, without: str = ""
    ) -> list[tuple[Decimal, Decimal]]:
        """Units and unit cost of each group of alternatives on this side, its largest and dearest member standing for
        it."""
        groups: dict[str, tuple[Decimal, Decimal]] = {}
        members = [one for one in book.special.values() if not without or one.group != without]
        if extra is not None and extra.group:
            members.append(extra)
        for order in members:
            if order.side is side and order.group and not order.reduce_only:
                qty = self._left_of(order)
                unit = self._unit_cost(order) if order is extra else self._unit_of(order)
                most, dearest = groups.get(order.group, (ZERO, ZERO))
                groups[order.group] = max(most, qty), max(dearest, unit)
        return list(groups.values())

    def _reducing(self, book: _Book, side: Side) -> Decimal:
        """Units that reduce-only orders of this side may trade, alternatives counted once."""
        return self._units(one for one in book.special.values() if one.side is side and one.reduce_only)

    def _units(self, orders: Iterable[OrderRecord]) -> Decimal:
        """Units that so many orders may still trade, alternatives counted once."""
        groups: dict[str, Decimal] = {}
        for order in orders:
            name = order.group or order.client_order_id
            groups[name] = max(groups.get(name, ZERO), self._left_of(order))
        return sum(groups.values(), ZERO)

    def excess(self, order: OrderRecord) -> Decimal:
        """Units by which a reduce-only order and the others of its side may open a position where no venue holds them
        to their word: what they may trade, but for what their parents have still to fill, over what is held."""
        claims: dict[str, Decimal] = {}
        for one in (order, *self.of(order.symbol)):
            if one.reduce_only and one.side is order.side:
                parent = self._orders.get(one.parent_id)
                awaits = parent is not None and parent.symbol == one.symbol and parent.side is not one.side
                claim = self._left_of(one) - (parent.remaining_qty if parent is not None and awaits else ZERO)
                name = one.group or one.replaces or one.client_order_id
                claims[name] = max(claims.get(name, ZERO), claim)
        held = self._positions[order.symbol].qty
        return sum(claims.values(), ZERO) - (held if order.side is _SELL else -held)

    def _left_of(self, order: OrderRecord) -> Decimal:
        """Units that an order may still trade at most. One that came into the place of another is for what that one
        had left, so that only its own fills count against it."""
        if not order.group or order.replaces:
            return order.remaining_qty
        return max(order.qty - self._filled.get(order.group, ZERO), ZERO)


def _dearest(units: Decimal, orders: list[tuple[Decimal, Decimal]]) -> Decimal:
    """The cost of this many units, those of the dearest orders first."""
    total = ZERO
    for qty, unit in sorted(orders, key=lambda one: one[1], reverse=True):
        taken = min(qty, units)
        total += taken * unit
        units -= taken
        if units <= 0:
            break
    return total
