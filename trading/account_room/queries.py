"""Accounts that several runs share, what is used of their limits, and their breakers, as JSON-ready rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import connection

from risk.account_actions import checked_name, limits_of
from risk.account_limits import AccountLimits
from risk.account_models import Account
from trading import grants
from trading.engine.records import plain
from trading.models import Mode, Run
from trading.rows import moment

Row = dict[str, Any]


def accounts() -> list[Row]:
    """Every account that runs share: those with limits or a breaker, and those that a run ever traded in."""
    traded = Run.objects.exclude(mode=Mode.BACKTEST).exclude(venue="sim").values_list("account", flat=True)
    names = {*Account.objects.values_list("name", flat=True), *traded.order_by().distinct()}
    return [account(name) for name in sorted(names - {""})]


def account(name: str) -> Row:
    """One account: each limit that is set with what is used of it by all runs in the worst case; of one that bounds
    single orders nothing is used between two. What is ``unpriced`` counts for nothing there.

    Raises `risk.account_actions.NoSuchAccount` for a name that can be none.
    """
    limits = limits_of(checked_name(name))
    connection.ensure_connection()
    state = grants.read_state(connection.connection, name, with_loss=True)
    used = {limit: (figure, symbol) for limit, figure, symbol in state.used()}
    nothing: tuple[Decimal, str | None] = (Decimal(0), None)
    return {
        "account": name,
        "limits": limits.model_dump(mode="json"),
        "used": {limit: {"used": plain(figure), "symbol": symbol} for limit, (figure, symbol) in used.items()},
        "unpriced": state.unpriced(),
        "headroom": [
            {
                "code": limit,
                "used": plain(figure),
                "limit": plain(Decimal(most)),
                "fraction": float(max(figure, Decimal(0)) / Decimal(most)),
                "unit": "count" if limit == "max_open_orders" else "money",
                "symbol": symbol,
            }
            for limit, most in limits.model_dump(exclude_none=True).items()
            for figure, symbol in [used.get(limit, nothing)]
        ],
    }


def breakers() -> list[Row]:
    return [breaker(row) for row in Account.objects.all()]


def breaker(row: Account) -> Row:
    return {
        "name": row.name,
        "open": row.breaker_open,
        "reason": row.breaker_reason,
        "run_id": row.breaker_run or None,
        "opened_at": moment(row.opened_at),
        "trips": row.trips,
        "reset_at": moment(row.reset_at),
        "reset_by": row.reset_by,
        "reset_reason": row.reset_reason,
    }


def names_of_limits() -> list[str]:
    return list(AccountLimits.model_fields)
