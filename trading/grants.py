"""Granting orders of an account in one transaction, under the lock of its row, by what the ledger's tables say.

Positions, and what granted orders have left: a fill moves its units from the one to the other in one transaction, so
that no sender anywhere can find them in neither. Positions and open orders that are nobody's run count as those of one
run more. In a symbol of which ledger and venue differ nothing is granted until a person has solved that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, Final

import psycopg

from risk.account_limits import AccountLimits, AccountState, Holding, Opening
from trading.engine.instruments import instrument_of
from trading.engine.orders import OPEN_STATUSES, Side
from trading.engine.risk import Denial
from trading.tickers import ticker_of

Database = psycopg.Connection[Any]

#: Whose the positions and orders are that no run has.
_NOBODY: Final = ""
_ZERO: Final = Decimal(0)

_ADD: Final = "INSERT INTO risk_accounts (name) VALUES (%s) ON CONFLICT DO NOTHING"
_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN_STATUSES))

_LOCK: Final = "SELECT limits, breaker_open, breaker_reason FROM risk_accounts WHERE name = %s FOR UPDATE"
# One statement, so that all of it is of one moment.
_STATE: Final = f"""
    SELECT (SELECT json_agg(json_build_array(p.run_id, p.symbol, p.qty::text, coalesce(p.last_price, p.avg_price)::text,
                                             extract(epoch FROM p.updated_at)))
              FROM runs r JOIN positions p ON p.run_id = r.id AND p.qty <> 0
             WHERE r.account = %(account)s AND r.mode <> 'backtest'),
           (SELECT json_agg(json_build_array(o.id, o.run_id, o.symbol, o.side, (o.qty - o.filled_qty)::text,
                                             g.unit_value::text, o.group_id, o.replaces) ORDER BY o.created_at, o.id)
              FROM runs r JOIN orders o ON o.run_id = r.id AND o.status IN ({_OPEN})
                          JOIN order_grants g ON g.order_id = o.id
             WHERE r.account = %(account)s AND r.mode <> 'backtest'),
           (SELECT json_agg(json_build_array(nobodys.ticker, nobodys.symbol, nobodys.qty::text, nobodys.price::text))
              FROM (SELECT ticker, max(symbol) AS symbol, sum(qty) AS qty, (array_agg(price ORDER BY at DESC)
                           FILTER (WHERE price IS NOT NULL))[1] AS price
                      FROM (SELECT ticker, symbol, qty, price, at FROM account_entries
                             WHERE account = %(account)s AND ticker <> ''
                            UNION ALL
                            SELECT ticker, symbol,
                                   (filled_qty - before_qty) * CASE side WHEN 'buy' THEN 1 ELSE -1 END,
                                   CASE WHEN filled_qty > 0 THEN paid / filled_qty END, updated_at
                              FROM outside_orders WHERE account = %(account)s) AS each
                     GROUP BY ticker HAVING sum(qty) <> 0) AS nobodys),
           (SELECT json_agg(json_build_array(venue_order_id, ticker, symbol, side, (qty - filled_qty)::text,
                                             limit_price::text))
              FROM outside_orders WHERE account = %(account)s AND status IN ({_OPEN}))
"""
_UNRECONCILED: Final = "SELECT ticker FROM differences WHERE account = %s AND state = 'open' AND ticker <> ''"
# What each run of the day had at its beginning, and has but for what it holds. One that has ended before and still
# holds something is of every day: its last mark is what is known of the beginning.
_DAY: Final = """
    SELECT r.id::text, coalesce(r.cash, r.starting_cash), coalesce(began.equity, r.starting_cash)
      FROM runs r
      LEFT JOIN LATERAL (
          SELECT equity FROM equity_points e WHERE e.run_id = r.id AND e.time < %(midnight)s
           ORDER BY e.time DESC LIMIT 1) began ON true
     WHERE r.account = %(account)s AND r.mode <> 'backtest'
       AND (r.ended_at IS NULL OR r.ended_at >= %(midnight)s
            OR EXISTS (SELECT FROM positions p WHERE p.run_id = r.id AND p.qty <> 0))
"""
_GRANT: Final = """
    INSERT INTO order_grants (order_id, account, unit_value, granted_at)
    VALUES (%s, %s, %s, clock_timestamp()) ON CONFLICT (order_id) DO NOTHING
"""
_MIDNIGHT: Final = "SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
_TRIP: Final = """
    UPDATE risk_accounts SET breaker_open = true, breaker_reason = %s, breaker_run = %s, opened_at = now(),
           trips = trips + 1 WHERE name = %s AND NOT breaker_open
"""


def decide(database: Database, account: str, asked: Sequence[Sequence[Opening]]) -> list[Denial | None]:
    """Answer them one after the other, each by what was granted before it; all durable together.

    Those that leave together are asked together; None grants them.
    """
    with database.transaction():
        row = database.execute(_LOCK, [account]).fetchone()
        if row is None:
            database.execute(_ADD, [account])
            row = database.execute(_LOCK, [account]).fetchone()
        assert row is not None
        limits, breaker_open, why = AccountLimits.model_validate(row[0]), row[1], row[2]
        if breaker_open:
            return [breaker_denial(account, why)] * len(asked)
        differs = {row[0] for row in database.execute(_UNRECONCILED, [account])}
        state = read_state(database, account, with_loss=limits.max_daily_loss is not None)
        answers: list[Denial | None] = []
        granted: list[Opening] = []
        for orders in asked:
            denial = _unreconciled(account, orders, differs) or state.refusal(orders, limits)
            answers.append(denial)
            if denial is None:
                state.openings += orders
                granted += orders
        if granted:
            with database.cursor() as cursor:
                cursor.executemany(_GRANT, [(one.order_id, account, one.unit_value) for one in granted])
    return answers


def _unreconciled(account: str, orders: Sequence[Opening], differs: Collection[str]) -> Denial | None:
    for order in orders:
        if ticker_of(order.symbol) in differs:
            message = f"ledger and venue differ about {order.symbol} in {account}: solve it under Reconciliation"
            return Denial(code="unreconciled", message=message)
    return None


def breaker_denial(account: str, why: str) -> Denial:
    return Denial(code="breaker_open", message=f"the breaker of {account} is open until it is reset by hand: {why}")


def read_state(database: Database, account: str, with_loss: bool) -> AccountState:
    """What all runs of an account hold and have granted; the day's loss where it is wanted."""
    row = database.execute(_STATE, {"account": account}).fetchone()
    assert row is not None
    positions, orders, nobodys, outside = (found or [] for found in row)
    # The newest price that any run knows of a symbol is taken for all.
    prices = {symbol: price for _, symbol, _, price, _ in sorted(positions, key=lambda one: one[4])}
    holdings = [
        Holding(run, symbol, Decimal(qty), Decimal(prices[symbol]) * instrument_of(symbol).multiplier)
        for run, symbol, qty, _, _ in positions
    ]
    openings = [
        Opening(order_id, run, symbol, Side(side), Decimal(qty), Decimal(unit), group, replaces)
        for order_id, run, symbol, side, qty, unit, group, replaces in orders
    ]
    worth = {ticker: Decimal(price) for ticker, _, _, price in nobodys if price is not None}
    worth |= {ticker_of(one.symbol): one.unit_value for one in holdings}
    holdings += [Holding(_NOBODY, ticker, Decimal(qty), worth.get(ticker, _ZERO)) for ticker, _, qty, _ in nobodys]
    openings += [
        Opening(order_id, _NOBODY, ticker, Side(side), Decimal(qty), max(worth.get(ticker, _ZERO), Decimal(limit or 0)))
        for order_id, ticker, _, side, qty, limit in outside
    ]
    return AccountState(holdings, openings, _loss(database, account, holdings) if with_loss else Decimal(0))


def _loss(database: Database, account: str, holdings: Sequence[Holding]) -> Decimal:
    """What the runs that were open today, or hold something, lost since 00:00 UTC, what they hold valued at its last
    mark."""
    midnight = database.execute(_MIDNIGHT).fetchone()
    assert midnight is not None
    days = database.execute(_DAY, {"account": account, "midnight": midnight[0]}).fetchall()
    began = sum((began for _, _, began in days), Decimal(0))
    cash = sum((cash for _, cash, _ in days), Decimal(0))
    todays = {run for run, _, _ in days}
    held = sum((one.qty * one.unit_value for one in holdings if one.run in todays), Decimal(0))
    return began - cash - held


def trip(database: Database, account: str, why: str, run: str) -> None:
    """Open the account's breaker; one that is open already keeps its reason."""
    with database.transaction():
        database.execute(_ADD, [account])
        database.execute(_TRIP, [why, run, account])
