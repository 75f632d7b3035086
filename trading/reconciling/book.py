"""What the ledger has of an account, and writing what its venue shows of the orders of others.

All of it is done under the lock of the account's row, in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import psycopg

from brokers.sightings import VenueOrder
from trading.engine.errors import InvalidValue
from trading.engine.instruments import instrument_of
from trading.engine.orders import OPEN_STATUSES, OrderRequest, OrderStatus, OrderType, Side
from trading.engine.updates import STATE_AFTER
from trading.reconciling.compare import Booked, OurOrder, run_of
from trading.tickers import ticker_of

Database = psycopg.Connection[Any]

_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN_STATUSES))
#: How the name begins of an order that flattens a difference, whose id follows.
FLATTENS: Final = "outside-"
_LOCK: Final = """
    INSERT INTO risk_accounts (name) VALUES (%(account)s) ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name
"""
_LOOK: Final = "SELECT number, began_at, looked_at FROM account_looks WHERE account = %s"
_LOOKED: Final = """
    INSERT INTO account_looks (account, number, began_at, looked_at)
         VALUES (%(account)s, %(number)s, clock_timestamp(), clock_timestamp())
    ON CONFLICT (account) DO UPDATE SET looked_at = clock_timestamp(), number = EXCLUDED.number,
       began_at = CASE WHEN account_looks.number = EXCLUDED.number THEN account_looks.began_at
                       ELSE clock_timestamp() END
"""
_HELD: Final = """
    SELECT r.id::text, p.symbol, p.qty FROM runs r JOIN positions p ON p.run_id = r.id AND p.qty <> 0
     WHERE r.account = %s AND r.mode <> 'backtest'
"""
#: What is nobody's run: corrections and what was there before, and what was filled since of the orders of others.
_OUTSIDE: Final = """
    SELECT symbol, sum(qty), sum(cash) FROM (
           SELECT symbol, qty, cash FROM account_entries WHERE account = %(account)s
           UNION ALL
           SELECT symbol, (filled_qty - before_qty) * CASE side WHEN 'buy' THEN 1 ELSE -1 END,
                  (paid - before_paid) * CASE side WHEN 'buy' THEN -1 ELSE 1 END
                  - CASE WHEN before_qty = 0 THEN fee ELSE 0 END
             FROM outside_orders WHERE account = %(account)s) AS each
     GROUP BY symbol
"""
_MADE: Final = """
    SELECT coalesce(sum(coalesce(cash, starting_cash) - starting_cash), 0) FROM runs
     WHERE account = %s AND mode <> 'backtest'
"""
_RUNS: Final = "SELECT id FROM runs WHERE account = %s AND id = ANY(%s::uuid[])"
_OURS: Final = f"""
    SELECT o.id, o.run_id::text, o.client_order_id, o.venue_order_id, o.status, o.filled_qty
      FROM runs r JOIN orders o ON o.run_id = r.id
     WHERE r.account = %(account)s AND r.mode <> 'backtest'
       AND (o.client_order_id = ANY(%(names)s)
            OR (o.venue_order_id = ANY(%(ids)s) AND (o.status IN ({_OPEN}) OR o.updated_at > %(since)s)))
"""
_KNOWN: Final = """
    SELECT o.client_order_id FROM runs r JOIN orders o ON o.run_id = r.id
     WHERE r.account = %s AND r.mode <> 'backtest' AND o.client_order_id = ANY(%s)
"""
_ADOPTED: Final = "SELECT venue_order_id FROM outside_orders WHERE account = %s AND venue_order_id = ANY(%s)"
#: An order that was sent from here is known by its name until the venue has told its own.
_NAMED: Final = """
    UPDATE outside_orders SET venue_order_id = %(id)s
     WHERE account = %(account)s AND name = %(name)s AND venue_order_id = name AND name <> ''
"""
_SHOWN: Final = """
    INSERT INTO outside_orders AS known (account, name, venue_order_id, symbol, ticker, side, type, qty, limit_price,
                                         filled_qty, before_qty, paid, before_paid, fee, status, by, reason, first_seen,
                                         updated_at)
         VALUES (%(account)s, %(name)s, %(id)s, %(symbol)s, %(ticker)s, %(side)s, %(type)s, %(qty)s, %(limit)s,
                 %(filled)s, %(before)s, %(paid)s, %(before_paid)s, %(fee)s, %(status)s, '', '', clock_timestamp(),
                 clock_timestamp())
    ON CONFLICT (account, venue_order_id) DO UPDATE SET
           qty = EXCLUDED.qty, limit_price = EXCLUDED.limit_price, filled_qty = EXCLUDED.filled_qty,
           paid = EXCLUDED.paid, fee = EXCLUDED.fee, status = EXCLUDED.status, updated_at = clock_timestamp()
     WHERE (known.qty, known.limit_price, known.filled_qty, known.paid, known.fee, known.status) IS DISTINCT FROM
           (EXCLUDED.qty, EXCLUDED.limit_price, EXCLUDED.filled_qty, EXCLUDED.paid, EXCLUDED.fee, EXCLUDED.status)
"""
_STILL_OPEN: Final = f"""
    SELECT name, venue_order_id, symbol, side, type, qty, limit_price FROM outside_orders
     WHERE account = %s AND status IN ({_OPEN})
"""
_GONE: Final = """
    UPDATE outside_orders SET status = 'cancelled', reason = 'the venue does not show it any more',
           updated_at = clock_timestamp() WHERE account = %s AND venue_order_id = ANY(%s)
"""
#: The entry that was made for such an order has the other sign of what it trades.
_LEFT: Final = f"""
    UPDATE outside_orders
       SET reason = 'taken back: ' || coalesce(nullif(%(why)s, ''), 'its order was ' || status)
     WHERE account = %(account)s AND name LIKE '{FLATTENS}%%' AND by <> '' AND status NOT IN ({_OPEN})
       AND filled_qty < qty AND reason NOT LIKE 'taken back: %%'
 RETURNING split_part(name, '-', 2)::bigint, symbol,
           (qty - filled_qty) * CASE side WHEN 'sell' THEN -1 ELSE 1 END, reason
"""
_REOPEN: Final = """
    UPDATE differences AS one SET state = 'open', solved_at = NULL, reason = %(reason)s
     WHERE id = %(difference)s AND state = 'flattened' AND NOT EXISTS (
           SELECT FROM differences AS other
            WHERE (other.account, other.kind, other.subject) = (one.account, one.kind, one.subject)
              AND other.state IN ('open', 'ignored'))
"""
_NOT_OUTSIDE: Final = "DELETE FROM outside_orders WHERE account = %s AND venue_order_id = ANY(%s) AND by = ''"


class Look(NamedTuple):
    """By what ``number`` the venue knew the account when it was last looked at, since when that was so, and when."""

    number: str
    began_at: datetime
    looked_at: datetime


def lock(database: Database, account: str) -> None:
    """Hold the account's row, as whoever grants its orders does, to the end of the transaction."""
    database.execute(_LOCK, {"account": account})


def last_look(database: Database, account: str) -> Look | None:
    row = database.execute(_LOOK, [account]).fetchone()
    return None if row is None else Look(*row)


def looked(database: Database, account: str, number: str) -> None:
    database.execute(_LOOKED, {"account": account, "number": number})


def booked(database: Database, account: str, orders: Sequence[VenueOrder], since: datetime) -> Booked:
    """All that the ledger has, with those of our orders that are among ``orders``. By the venue's ids are found what is
    open and what has changed after ``since``."""
    held = {(run, symbol): qty for run, symbol, qty in database.execute(_HELD, [account])}
    others = database.execute(_OUTSIDE, {"account": account}).fetchall()
    made = database.execute(_MADE, [account]).fetchone()
    assert made is not None
    names = sorted({name for order in orders if (name := order.client_order_id.partition("#")[0])})
    ids = [order.venue_order_id for order in orders]
    wanted = {"account": account, "names": names, "ids": ids, "since": since}
    runs = sorted({run for name in names if (run := run_of(name))})
    return Booked(
        held=held,
        outside={symbol: qty for symbol, qty, _ in others if symbol},
        cash=made[0] + sum((cash for _, _, cash in others), Decimal(0)),
        orders=[OurOrder(*row) for row in database.execute(_OURS, wanted)],
        runs=frozenset(row[0].hex for row in database.execute(_RUNS, [account, runs])),
        adopted=frozenset(row[0] for row in database.execute(_ADOPTED, [account, ids])),
    )


def known(database: Database, account: str, names: Iterable[str]) -> set[str]:
    """Those of the client order ids that the ledger has an order of."""
    return {row[0] for row in database.execute(_KNOWN, [account, list(names)])}


def record(database: Database, account: str, orders: Iterable[VenueOrder], *, before: bool = False) -> None:
    """Write what the venue shows of the orders of others; what is filled ``before`` the account was first looked at is
    part of what it held then."""
    for order in orders:
        paid = order.filled_qty * order.avg_price * _multiplier(order.terms.symbol)
        row = {
            "account": account,
            "name": order.client_order_id,
            "id": order.venue_order_id,
            "symbol": order.terms.symbol,
            "ticker": ticker_of(order.terms.symbol),
            "side": order.terms.side.value,
            "type": order.terms.type.value,
            "qty": order.terms.qty,
            "limit": order.terms.limit_price,
            "filled": order.filled_qty,
            "before": order.filled_qty if before else Decimal(0),
            "paid": paid,
            "before_paid": paid if before else Decimal(0),
            "fee": order.fee,
            "status": _status(order),
        }
        database.execute(_NAMED, row)
        database.execute(_SHOWN, row)


def _multiplier(symbol: str) -> Decimal:
    try:
        return instrument_of(symbol).multiplier
    except InvalidValue:
        return Decimal(1)


def _status(order: VenueOrder) -> str:
    if order.filled_qty >= order.terms.qty:
        return OrderStatus.FILLED.value
    if order.is_over and order.state is not None:
        return STATE_AFTER[order.state][0].value
    return (OrderStatus.PARTIALLY_FILLED if order.filled_qty else OrderStatus.ACCEPTED).value


def still_open(database: Database, account: str) -> list[VenueOrder]:
    """The orders of others that can still trade as far as is known, to be asked about."""
    return [
        VenueOrder(
            client_order_id=name,
            venue_order_id=venue_order_id,
            state=None,
            terms=OrderRequest(symbol=symbol, side=Side(side), qty=qty, type=OrderType(type_), limit_price=limit),
            time=0,
        )
        for name, venue_order_id, symbol, side, type_, qty, limit in database.execute(_STILL_OPEN, [account])
    ]


def gone(database: Database, account: str, venue_order_ids: Sequence[str]) -> None:
    """The venue shows these orders of others no more."""
    if venue_order_ids:
        database.execute(_GONE, [account, list(venue_order_ids)])


def not_outside(database: Database, account: str, ours: Iterable[OurOrder]) -> None:
    """What was taken for an order of others before the venue's id of our order was known."""
    ids = [order.venue_order_id for order in ours if order.venue_order_id]
    if ids:
        database.execute(_NOT_OUTSIDE, [account, ids])


def take_back(database: Database, account: str, by: str, why: str = "") -> None:
    """What an order that was to flatten a difference has left when it ends: by a further entry it is a difference
    again, which is open again unless another one of it stands already."""
    for difference, symbol, rest, reason in database.execute(_LEFT, {"account": account, "why": why}).fetchall():
        entry(database, account, symbol, qty=rest, by=by, reason=reason, difference=difference)
        database.execute(_REOPEN, {"difference": difference, "reason": reason})


def unit_values(database: Database, account: str) -> dict[str, Decimal]:
    """What the entries say that a unit was worth last, by ticker."""
    return dict(database.execute(_PRICES, [account]).fetchall())


def entry(
    database: Database,
    account: str,
    symbol: str,
    *,
    qty: Decimal = Decimal(0),
    cash: Decimal = Decimal(0),
    price: Decimal | None = None,
    by: str,
    reason: str,
    difference: int | None = None,
) -> None:
    """Append what belongs to nobody's run from here on."""
    ticker = ticker_of(symbol) if symbol else ""
    values = [account, symbol, ticker, qty, cash, price, by, reason, difference]
    database.execute(_ENTRY, values)


_PRICES: Final = """
    SELECT DISTINCT ON (ticker) ticker, price FROM account_entries
     WHERE account = %s AND price IS NOT NULL ORDER BY ticker, id DESC
"""
_ENTRY: Final = """
    INSERT INTO account_entries (account, symbol, ticker, qty, cash, price, by, reason, difference_id, at)
         VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())
"""
