"""Round trips: what was bought and sold again, or sold and bought back."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import Final, NamedTuple

import msgspec

from trading.engine.exact import exact
from trading.engine.instruments import instrument_of
from trading.engine.orders import Side
from trading.engine.records import Record

_NOTHING: Final = Decimal(0)


class Execution(NamedTuple):
    """One fill: ``time`` in nanoseconds, ``qty`` and ``price`` positive, ``fee`` what was paid."""

    time: int
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    fee: Decimal


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One round trip of ``qty`` units, ``side`` being that of its entry; times in nanoseconds.

    ``fees`` are those of both ends, each in proportion to the quantity; ``pnl`` is what was left after them, in the
    account's currency; ``share`` is ``pnl`` over the notional of the entry.
    """

    symbol: str
    side: str
    qty: Decimal
    entry_time: int
    exit_time: int
    entry_price: Decimal
    exit_price: Decimal
    fees: Decimal
    pnl: Decimal

    @property
    def share(self) -> float:
        return float(self.pnl / (self.qty * self.entry_price * multiplier_of(self.symbol))) if self.entry_price else 0.0

    @property
    def seconds(self) -> float:
        return (self.exit_time - self.entry_time) / 1e9


class _Lot:
    """What is left of an opening fill; ``fee`` is what was paid per unit."""

    __slots__ = ("buy", "fee", "price", "qty", "time")

    def __init__(self, fill: Execution, qty: Decimal, fee: Decimal) -> None:
        self.buy = fill.side == Side.BUY
        self.time, self.price, self.qty, self.fee = fill.time, fill.price, qty, fee


@cache
def multiplier_of(symbol: str) -> Decimal:
    """How many units of money one unit of price is worth."""
    return instrument_of(symbol).multiplier


def executions(records: Iterable[Record]) -> Iterator[Execution]:
    """The fills among a run's records, in the order in which they were booked."""
    for record in records:
        fill = record.fill
        if fill is not None:
            yield Execution(record.time, fill.symbol, fill.side, fill.qty, fill.price, fill.fee)


@exact
def round_trips(fills: Iterable[Execution]) -> list[Trade]:
    """The round trips in these fills, in order of their exits: first in, first out.

    A closing fill is matched with the oldest open ones; each pair is one trade, so that an order filled in parts gives
    as many. What is still open is no trade yet.
    """
    open_: dict[str, deque[_Lot]] = defaultdict(deque)
    trades: list[Trade] = []
    for fill in fills:
        lots = open_[fill.symbol]
        left, fee = fill.qty, _per_unit(fill)
        buy = fill.side == Side.BUY
        while left and lots and lots[0].buy != buy:
            lot = lots[0]
            qty = min(left, lot.qty)
            trades.append(_closed(fill, lot, qty, fee))
            left -= qty
            lot.qty -= qty
            if not lot.qty:
                lots.popleft()
        if left:
            lots.append(_Lot(fill, left, fee))
    return trades


def _per_unit(fill: Execution) -> Decimal:
    """Rounded, for a third of a cent has no end."""
    return round(fill.fee / fill.qty, 16) if fill.fee else _NOTHING


def _closed(fill: Execution, lot: _Lot, qty: Decimal, fee: Decimal) -> Trade:
    gained = fill.price - lot.price if lot.buy else lot.price - fill.price
    fees = (lot.fee + fee) * qty
    return Trade(
        fill.symbol,
        Side.BUY if lot.buy else Side.SELL,
        qty,
        lot.time,
        fill.time,
        lot.price,
        fill.price,
        fees,
        gained * qty * multiplier_of(fill.symbol) - fees,
    )
