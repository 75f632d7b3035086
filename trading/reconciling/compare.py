"""What a venue shows of an account against what the ledger has of it. Pure.

The ledger's word on an account is all that its runs hold, and what is nobody's run: what was there when the account was
first looked at, corrections that a person has made, and the orders of others. Tickers are compared, for a venue does
not know how a recipe spells them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.base import VenueAccount, VenuePosition
from brokers.sightings import VenueOrder
from trading.engine.errors import Transient
from trading.engine.orders import FINAL_STATUSES, Side
from trading.engine.portfolio import Portfolio
from trading.engine.records import plain
from trading.tickers import ticker_of

#: Venues round money to this.
CENT: Final = Decimal("0.01")
#: No account has as much of anything.
MOST: Final = Decimal(10**15)
_ZERO: Final = Decimal(0)
_OURS: Final = re.compile(r"([0-9a-f]{32})-\d+")


class Shown(msgspec.Struct, frozen=True):
    """What the venue shows of an account: its money, what is held, and orders, open or over."""

    account: VenueAccount
    positions: Sequence[VenuePosition]
    orders: Sequence[VenueOrder]


class OurOrder(msgspec.Struct, frozen=True):
    """An order of one of our runs by the ledger."""

    id: str
    run: str
    client_order_id: str
    venue_order_id: str | None
    status: str
    filled_qty: Decimal


class Booked(msgspec.Struct, frozen=True):
    """What the ledger has of an account: units by run and symbol, units by symbol that are nobody's run, money that
    all of it made or cost, those of our orders that the venue has shown, and the venue's ids of orders that a person
    has adopted or sent."""

    held: Mapping[tuple[str, str], Decimal]
    outside: Mapping[str, Decimal]
    cash: Decimal
    orders: Sequence[OurOrder] = ()
    runs: frozenset[str] = frozenset()
    adopted: frozenset[str] = frozenset()


class Found(msgspec.Struct, frozen=True):
    """One difference; see `trading.models.Difference`. A ``sure`` one is no news that is on its way to either side."""

    kind: str
    subject: str
    symbol: str
    amount: Decimal
    ledger: dict[str, Any]
    venue: dict[str, Any]
    run: str | None = None
    sure: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.subject

    @property
    def sentence(self) -> str:
        if self.kind == "order":
            return f"order {self.subject}: {self.ledger['says']}, {self.venue['says']}"
        unit = f" {self.symbol}" if self.symbol else ""
        what = "cash: " if self.kind == "cash" else ""
        return f"{what}the ledger has {self.ledger['in_all']}{unit}, the venue {self.venue['in_all']}"


class Unbelievable(Transient):
    """The venue showed a figure that cannot be: nothing of what it showed is taken."""


def check(shown: Shown) -> None:
    """Raise `Unbelievable` for a figure that is not finite or beyond all measure, and for a filled quantity below
    zero."""
    figures = [("cash", shown.account.cash)]
    figures += [(one.symbol, one.qty) for one in shown.positions]
    figures += [(one.symbol, one.unit_value) for one in shown.positions if one.unit_value is not None]
    for order in shown.orders:
        figures += [(order.venue_order_id, one) for one in (order.terms.qty, order.filled_qty, order.avg_price)]
    for name, figure in figures:
        if not figure.is_finite() or abs(figure) > MOST:
            raise Unbelievable(f"the venue shows {figure} for {name}, which cannot be")
    for order in shown.orders:
        if order.filled_qty < 0 or order.avg_price < 0:
            raise Unbelievable(f"the venue shows order {order.venue_order_id} filled for {order.filled_qty}")


def run_of(client_order_id: str) -> str | None:
    """The run (hex) that an order of ours would be of by its name; None for a name that is none of ours."""
    match = _OURS.fullmatch(client_order_id.partition("#")[0])
    return match[1] if match else None


def outside(shown: Shown, booked: Booked) -> list[VenueOrder]:
    """The orders that no run of ours has sent."""
    ours = {order.client_order_id for order in booked.orders} | {order.venue_order_id for order in booked.orders}
    return [
        order
        for order in shown.orders
        if order.client_order_id not in ours
        and order.venue_order_id not in ours
        and (order.venue_order_id in booked.adopted or run_of(order.client_order_id) not in booked.runs)
    ]


def differences(shown: Shown, booked: Booked) -> list[Found]:
    """All that does not agree."""
    return [*_positions(shown, booked), *_cash(shown, booked), *_orders(shown, booked)]


def _positions(shown: Shown, booked: Booked) -> Iterator[Found]:
    names: dict[str, str] = {}
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    runs: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    others: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in shown.positions:
        held[_known(names, one.symbol)] += one.qty
    for symbol, qty in booked.outside.items():
        others[_known(names, symbol)] += qty
    for (run, symbol), qty in booked.held.items():
        by_run = runs[_known(names, symbol)]
        by_run[run] = by_run.get(run, _ZERO) + qty
    for ticker, symbol in sorted(names.items()):
        ours = sum(runs[ticker].values(), others[ticker])
        if held[ticker] != ours:
            told = {run: plain(qty) for run, qty in sorted(runs[ticker].items())}
            yield Found(
                kind="position",
                subject=ticker,
                symbol=symbol,
                amount=held[ticker] - ours,
                ledger={"in_all": plain(ours), "runs": told, "outside": plain(others[ticker])},
                venue={"in_all": plain(held[ticker])},
                run=next(iter(told)) if len(told) == 1 else None,
            )


def _known(names: dict[str, str], symbol: str) -> str:
    """The ticker of a symbol, whose last spelling is kept in ``names``."""
    ticker = ticker_of(symbol)
    names[ticker] = symbol
    return ticker


def _cash(shown: Shown, booked: Booked) -> Iterator[Found]:
    amount = shown.account.cash - booked.cash
    if abs(amount) > CENT:
        ledger, venue = {"in_all": plain(booked.cash)}, {"in_all": plain(shown.account.cash)}
        yield Found("cash", "", "", amount, ledger, venue)


def _orders(shown: Shown, booked: Booked) -> Iterator[Found]:
    """Orders under our names that the ledger does not have, or has as ended while they can trade at the venue."""
    by_name = {order.client_order_id: order for order in booked.orders}
    by_id = {order.venue_order_id: order for order in booked.orders}
    for order in shown.orders:
        ours = by_name.get(order.client_order_id) or by_id.get(order.venue_order_id)
        run = run_of(order.client_order_id)
        if ours is None and run in booked.runs and order.venue_order_id not in booked.adopted:
            # What is sent is in the ledger before.
            yield _order(order, run, "the ledger has no such order", sure=True)
        elif ours is not None and not order.is_over and ours.status in FINAL_STATUSES:
            yield _order(order, ours.run, f"the ledger has it as {ours.status}")


def _order(order: VenueOrder, run: str | None, says: str, *, sure: bool = False) -> Found:
    sign = 1 if order.terms.side is Side.BUY else -1
    return Found(
        kind="order",
        subject=order.client_order_id or order.venue_order_id,
        symbol=order.terms.symbol,
        amount=sign * (order.terms.qty - order.filled_qty),
        ledger={"says": says},
        venue={
            "says": "the venue has it as over" if order.is_over else "it can trade at the venue",
            "venue_order_id": order.venue_order_id,
            "side": order.terms.side.value,
            "qty": plain(order.terms.qty),
            "filled_qty": plain(order.filled_qty),
            "avg_price": plain(order.avg_price),
            "limit_price": plain(order.terms.limit_price),
            "type": order.terms.type.value,
        },
        run=run,
        sure=sure,
    )


def same(found: Iterable[Found], before: Mapping[tuple[str, str], Decimal]) -> list[Found]:
    """Those that were found before with the same amount, or are sure: the others may be news on its way to either
    side."""
    return [one for one in found if one.sure or before.get(one.key) == one.amount]


def own(positions: Iterable[VenuePosition], account: VenueAccount, portfolio: Portfolio) -> list[str]:
    """Sentences about an account that is one run's alone: where it is not what the run's books say."""
    held = {one.symbol: one.qty for one in positions}
    ours = {symbol: position.qty for symbol, position in portfolio.positions.items() if position.qty}
    found = [
        f"{symbol}: the venue holds {held.get(symbol, 0)}, the ledger {ours.get(symbol, 0)}"
        for symbol in sorted(held.keys() | ours.keys())
        if held.get(symbol, 0) != ours.get(symbol, 0)
    ]
    if account.cash != portfolio.cash:
        found.append(f"cash: the venue has {account.cash}, the ledger {portfolio.cash}")
    return found
