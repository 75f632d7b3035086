"""Money, computed a second way: what must be equal however the projections came to be. Exact, in ``numeric``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from trading.engine.instruments import instrument_of
from trading.engine.records import Kind
from trading.ledger.tables import Cursor

_ONLY: Final = "(%(runs)s::uuid[] IS NULL OR run_id = ANY(%(runs)s::uuid[]))"
#: Money that one unit of price of a symbol is worth, where it is not one.
_MULTIPLIER: Final = "coalesce((%(multipliers)s::jsonb ->> symbol)::numeric, 1)"
_SYMBOLS: Final = f"SELECT DISTINCT symbol FROM positions WHERE {_ONLY}"
_TRADED: Final = f"""
    SELECT run_id, symbol, count(*) AS fills, sum(fee) AS fees,
           sum(CASE side WHEN 'buy' THEN qty ELSE -qty END) AS held,
           sum(CASE side WHEN 'buy' THEN qty ELSE -qty END * price) * {_MULTIPLIER} AS paid
      FROM fills WHERE {_ONLY} GROUP BY run_id, symbol
"""
_POSITIONS: Final = f"""
    SELECT coalesce(t.run_id, p.run_id), coalesce(t.symbol, p.symbol), coalesce(t.held, 0), p.qty
      FROM ({_TRADED}) t
      FULL JOIN (SELECT * FROM positions WHERE {_ONLY}) p
        ON p.run_id = t.run_id AND p.symbol = t.symbol
     WHERE coalesce(t.held, 0) IS DISTINCT FROM p.qty ORDER BY 1, 2
"""
_PAID: Final = f"""
    SELECT run_id, sum((payload -> 'data' ->> 'amount')::numeric) AS earned FROM ledger_events
     WHERE kind = '{Kind.CASH}' AND {_ONLY} GROUP BY run_id
"""
_RUNS: Final = f"""
    SELECT r.id, r.num_fills, r.cash, r.final_equity, r.total_pnl, r.final_equity - r.starting_cash,
           coalesce(t.fills, 0),
           r.starting_cash - coalesce(t.paid, 0) - coalesce(t.fees, 0) + coalesce(c.earned, 0),
           coalesce(p.realized, 0) + coalesce(p.unrealized, 0) - coalesce(t.fees, 0) + coalesce(c.earned, 0),
           c.earned IS NOT NULL
      FROM runs r
      LEFT JOIN (SELECT run_id, sum(fills) AS fills, sum(fees) AS fees, sum(paid) AS paid
                   FROM ({_TRADED}) each_symbol GROUP BY run_id) t ON t.run_id = r.id
      LEFT JOIN (SELECT run_id, sum(realized_pnl) AS realized,
                        sum(qty * coalesce(last_price, 0) * {_MULTIPLIER} - cost) AS unrealized
                   FROM positions GROUP BY run_id) p ON p.run_id = r.id
      LEFT JOIN ({_PAID}) c ON c.run_id = r.id
     WHERE {_ONLY.replace("run_id", "r.id")} ORDER BY r.id
"""


class Imbalance(NamedTuple):
    """Two figures that should be one: ``expected`` from the fills, ``found`` in the table's ``column``."""

    run_id: UUID
    table: str
    row: str
    column: str
    expected: str
    found: str


def imbalances(cursor: Cursor, runs: list[UUID] | None = None) -> Iterator[Imbalance]:
    """Where fills, positions, cash and profit of a run disagree; of these runs, or of all.

    Sum of fills = position, per symbol; starting cash - paid - fees + what came without a fill = cash; final equity -
    starting cash = total P&L; realised + unrealised (at the last price) - fees + what came without a fill = total P&L.
    """
    given = {"runs": runs, "multipliers": _multipliers(cursor, runs)}
    for run, symbol, held, qty in cursor.execute(_POSITIONS, given).fetchall():
        yield Imbalance(run, "positions", symbol, "qty", str(held), str(qty))
    for row in cursor.execute(_RUNS, given).fetchall():
        run, num_fills, cash, final_equity, total_pnl, earned, fills, left, made, paid = row
        pairs = [("num_fills", fills, num_fills)]
        if cash is not None or fills or paid:
            pairs.append(("cash", left, cash))
        if final_equity is not None or total_pnl is not None:
            pairs += [("total_pnl", earned, total_pnl), ("total_pnl by position", made, total_pnl)]
        for column, expected, found in pairs:
            if expected != found:
                yield Imbalance(run, "runs", str(run), column, str(expected), str(found))


def _multipliers(cursor: Cursor, runs: list[UUID] | None) -> str:
    """The multipliers that are not one, by symbol, as JSON."""
    symbols = [row[0] for row in cursor.execute(_SYMBOLS, {"runs": runs}).fetchall()]
    multipliers = {symbol: instrument_of(symbol).multiplier for symbol in symbols}
    return msgspec.json.encode({symbol: value for symbol, value in multipliers.items() if value != 1}).decode()
