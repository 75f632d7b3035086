"""One look at an account, settled with the ledger in one transaction: what is new of others is written, what was a
difference and is none any more is closed, and what was seen before and has stayed is put before a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from brokers.sightings import VenueOrder
from trading.engine.errors import Transient
from trading.reconciling import book, compare
from trading.reconciling.compare import Found, Shown
from trading.tickers import ticker_of

Database = psycopg.Connection[Any]
Key = tuple[str, str]

#: Who makes the entries that tell what an account held when it was first looked at.
SYSTEM: Final = "alphaswarm"
_BEGINNING: Final = timedelta(minutes=5)
#: By so much of it must what a unit is worth have changed to be news.
_MOVED: Final = Decimal("0.02")

_STANDING: Final = """
    SELECT id, kind, subject, amount, state FROM differences WHERE account = %s AND state IN ('open', 'ignored')
"""
_SEEN: Final = """
    UPDATE differences SET last_seen = clock_timestamp(), amount = %(amount)s, ledger = %(ledger)s, venue = %(venue)s
     WHERE id = %(id)s
"""
_TOUCHED: Final = "UPDATE differences SET last_seen = clock_timestamp() WHERE id = %s"
_REOPENED: Final = """
    UPDATE differences SET last_seen = clock_timestamp(), amount = %(amount)s, ledger = %(ledger)s, venue = %(venue)s,
           state = 'open', solved_at = NULL, reason = 'it has grown beyond what was ignored: ' || reason
     WHERE id = %(id)s
"""
_EXPLAINED: Final = """
    UPDATE differences SET state = 'explained', solved_at = clock_timestamp(),
           reason = 'explained: ledger and venue agree again' WHERE id = ANY(%s)
"""
_OPENED: Final = """
    INSERT INTO differences (account, run_id, kind, subject, symbol, ticker, amount, ledger, venue, state, first_seen,
                             last_seen, by, reason)
         VALUES (%(account)s, %(run)s, %(kind)s, %(subject)s, %(symbol)s, %(ticker)s, %(amount)s, %(ledger)s,
                 %(venue)s, 'open', clock_timestamp(), clock_timestamp(), '', '')
    ON CONFLICT DO NOTHING
"""


class OtherAccount(Transient):
    """The venue shows another account than the one that was compared so far."""


@dataclass
class Settled:
    """What a look came to: ``found`` is all that does not agree, ``opened`` what is new before a person."""

    found: list[Found] = field(default_factory=list)
    opened: list[Found] = field(default_factory=list)
    began: bool = False

    @property
    def amounts(self) -> dict[Key, Decimal]:
        return {one.key: one.amount for one in self.found}


def settle(
    database: Database,
    account: str,
    shown: Shown,
    *,
    before: Mapping[Key, Decimal],
    gone: Sequence[VenueOrder] = (),
    may_begin: bool = False,
) -> Settled:
    """Hold what was shown against the ledger. ``before`` are the amounts of the look before, ``gone`` orders of others
    that the venue does not show any more.

    Where the account was never looked at under this number, what it shows is taken as it is where that ``may_begin``.
    Raises `compare.Unbelievable` and `OtherAccount`, having changed nothing.
    """
    compare.check(shown)
    with database.transaction():
        book.lock(database, account)
        look = book.last_look(database, account)
        number = shown.account.account
        begins = look is None or look.number != number
        if begins and not may_begin:
            known = "none" if look is None else look.number
            raise OtherAccount(f"the venue shows account {number}, and {known} was looked at so far")
        began_at = datetime.now(UTC) if look is None or begins else look.began_at
        ours = book.booked(database, account, shown.orders, began_at - _BEGINNING)
        book.not_outside(database, account, ours.orders)
        book.record(database, account, compare.outside(shown, ours), before=begins)
        book.gone(database, account, [order.venue_order_id for order in gone])
        book.take_back(database, account, SYSTEM)
        ours = book.booked(database, account, shown.orders, began_at - _BEGINNING)
        found = compare.differences(shown, ours)
        worth = {ticker_of(one.symbol): one.unit_value for one in shown.positions if one.unit_value}
        if begins:
            _take_as_it_is(database, account, number, found, worth)
            ours = book.booked(database, account, shown.orders, began_at - _BEGINNING)
            found = compare.differences(shown, ours)
        _price(database, account, ours.outside, worth)
        opened = _write(database, account, found, before, _unsettled(database, account, shown))
        book.looked(database, account, number)
    return Settled(found, opened, begins)


def _take_as_it_is(
    database: Database, account: str, number: str, found: Sequence[Found], worth: Mapping[str, Decimal]
) -> None:
    reason = f"held in {number} when it was first looked at"
    for one in found:
        if one.kind == "position":
            price = worth.get(one.subject)
            book.entry(database, account, one.symbol, qty=one.amount, price=price, by=SYSTEM, reason=reason)
        elif one.kind == "cash":
            book.entry(database, account, "", cash=one.amount, by=SYSTEM, reason=reason)


def _price(database: Database, account: str, outside: Mapping[str, Decimal], worth: Mapping[str, Decimal]) -> None:
    """Keep what a unit of what is nobody's run is worth, by ticker, for it counts towards the account's limits."""
    known = book.unit_values(database, account)
    for symbol, qty in outside.items():
        ticker = ticker_of(symbol)
        price, before = worth.get(ticker), known.get(ticker)
        if qty and price and (not before or abs(price - before) > before * _MOVED):
            book.entry(database, account, symbol, price=price, by=SYSTEM, reason="what a unit is worth at the venue")
            known[ticker] = price


def _unsettled(database: Database, account: str, shown: Shown) -> set[Key]:
    """Orders that stand before a person, of which this look tells nothing: a venue lists for a while alone what is
    over."""
    told = {order.client_order_id or order.venue_order_id for order in shown.orders}
    missing = {row[2] for row in database.execute(_STANDING, [account]) if row[1] == "order"} - told
    return {("order", name) for name in missing - book.known(database, account, missing)}


def _write(
    database: Database,
    account: str,
    found: Sequence[Found],
    before: Mapping[Key, Decimal],
    unsettled: Collection[Key],
) -> list[Found]:
    """Bring the inbox up to date; what is new in it. A difference must be seen twice with the same amount, unless it is
    sure, and is explained where it is found no more, unless it is among those that are ``unsettled``."""
    standing = {(row[1], row[2]): row for row in database.execute(_STANDING, [account])}
    now = {one.key: one for one in found}
    vanished = [row[0] for key, row in standing.items() if key not in now and key not in unsettled]
    if vanished:
        database.execute(_EXPLAINED, [vanished])
    opened = []
    for one in compare.same(found, before):
        row = standing.get(one.key)
        values = _values(account, one)
        if row is None:
            if database.execute(_OPENED, values).rowcount:
                opened.append(one)
        elif row[4] == "ignored" and _within(one.amount, row[3]):
            database.execute(_TOUCHED, [row[0]])
        elif row[4] == "ignored":
            database.execute(_REOPENED, {**values, "id": row[0]})
            opened.append(one)
        else:
            database.execute(_SEEN, {**values, "id": row[0]})
    return opened


def _within(amount: Decimal, accepted: Decimal) -> bool:
    """Whether an amount goes no further than what was accepted, in the same direction."""
    return abs(amount) <= abs(accepted) and (amount >= 0) == (accepted >= 0)


def _values(account: str, one: Found) -> dict[str, Any]:
    given = msgspec.structs.asdict(one)
    ticker = ticker_of(one.symbol) if one.symbol else ""
    evidence = {"ledger": Jsonb(one.ledger), "venue": Jsonb(one.venue)}
    return {**given, **evidence, "account": account, "ticker": ticker}
