"""What an account is worth: from a run and the last that is known of it to figures. Pure.

Each run on the simulated venue is an account of its own. Accounts are summed within their kind alone: money of a real
account, of a paper account, and of a paper account on made-up prices are never added to one another.

Figures are plain decimal text and times ISO 8601, UTC, as in `trading.rows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from trading.engine.records import plain
from trading.freshness import GRACE, fresh_seconds
from trading.models import Mode, Run
from trading.rows import moment

Account = dict[str, Any]
#: The order in which kinds are shown: what matters most first.
KINDS: Final = ("live", "paper", "synthetic", "backtest")
_NANOS: Final = 1_000_000_000
_NOTHING: Final = Decimal(0)


def kind_of(run: Run) -> str:
    """``live``, ``paper``, ``synthetic`` (paper on made-up prices) or ``backtest``."""
    if run.mode == Mode.PAPER and run.synthetic:
        return "synthetic"
    return str(run.mode)


def event_time(known: Mapping[str, Any]) -> datetime | None:
    """How far a run has come in its own time, by the last that is known of it."""
    if "timestamp" in known:
        return datetime.fromisoformat(known["timestamp"])
    if known.get("time"):
        return datetime.fromtimestamp(known["time"] / _NANOS, UTC)
    return None


def account_of(
    run: Run, known: Mapping[str, Any], day_began_at: Decimal | None, open_: bool, feed: Mapping[str, Any] | None = None
) -> Account:
    """The account of ``run``.

    ``known`` is its last `equity.update` frame or its last flushed state, ``day_began_at`` its equity at 00:00 UTC of
    the day that it has reached in its own time (None: it began on that day). ``as_of`` is the wall clock of ``known``,
    None where only a flushed state is known; ``fresh_seconds`` after it the figures are old. ``feed`` has the arguments
    of the recipe's feed.
    """
    start = run.starting_cash
    equity = _decimal(known.get("equity"), run.final_equity if run.final_equity is not None else start)
    cash = _decimal(known.get("cash"), run.cash if run.cash is not None else start)
    positions = [_position(held) for held in known.get("positions", ()) if _decimal(held["qty"])]
    return {
        "run_id": str(run.id),
        "task_id": run.task_id,
        "name": run.name,
        "kind": kind_of(run),
        "mode": run.mode,
        "venue": run.venue,
        "synthetic": run.synthetic,
        "open": open_,
        "status": run.status,
        "reason": run.reason,
        "started_at": moment(run.started_at),
        "ended_at": moment(run.ended_at),
        "time": moment(event_time(known)),
        "as_of": known.get("emitted_at"),
        "fresh_seconds": fresh_seconds(feed),
        "starting_cash": plain(start),
        "cash": plain(cash),
        "equity": plain(equity),
        "pnl_day": plain(equity - (start if day_began_at is None else day_began_at)),
        "pnl": plain(equity - start),
        "exposure": exposure(positions),
        "positions": positions,
        "bars": max(run.num_bars, run.state.get("bars") or 0),
        "fills": run.num_fills,
    }


def totals(accounts: Sequence[Account]) -> dict[str, dict[str, Any]]:
    """The sum of each kind that has an account.

    Cash, equity, exposure and positions are those of open accounts; ``pnl_day`` and ``pnl`` count the closed ones that
    are given too, so that a session's end does not change what the day came to.
    """
    by_kind = {kind: [one for one in accounts if one["kind"] == kind] for kind in KINDS}
    return {kind: _total(kind, members) for kind, members in by_kind.items() if members}


def _total(kind: str, accounts: Sequence[Account]) -> dict[str, Any]:
    members = [one for one in accounts if one["open"]]
    positions = _merged(members)
    return {
        "kind": kind,
        "accounts": len(members),
        "closed_accounts": len(accounts) - len(members),
        "starting_cash": _sum(members, "starting_cash"),
        "cash": _sum(members, "cash"),
        "equity": _sum(members, "equity"),
        "pnl_day": _sum(accounts, "pnl_day"),
        "pnl": _sum(accounts, "pnl"),
        "exposure": {
            "gross": _sum([one["exposure"] for one in members], "gross"),
            "net": _sum([one["exposure"] for one in members], "net"),
        },
        "positions": positions,
        "as_of": min((one["as_of"] or "" for one in members), default="") or None,
        "fresh_seconds": max((one["fresh_seconds"] for one in members), default=GRACE),
    }


def exposure(positions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """``gross``, the sum of the values' sizes, and ``net``, their sum with shorts negative."""
    values = [Decimal(held["value"]) for held in positions]
    return {"gross": plain(sum(map(abs, values), _NOTHING)), "net": plain(sum(values, _NOTHING))}


def _position(held: Mapping[str, Any]) -> dict[str, Any]:
    qty, average = Decimal(held["qty"]), Decimal(held["avg_price"])
    last = _decimal(held.get("last_price"), average)
    return {
        "symbol": held["symbol"],
        "qty": plain(qty),
        "avg_price": plain(average),
        "last_price": plain(last),
        "value": plain(qty * last),
        "unrealized_pnl": plain(qty * (last - average)),
        "realized_pnl": plain(_decimal(held.get("realized_pnl"))),
    }


def _merged(accounts: Sequence[Account]) -> list[dict[str, Any]]:
    """One row per symbol: the net quantity, and the price and result of what the accounts hold together."""
    held: dict[str, list[dict[str, Any]]] = {}
    for one in accounts:
        for position in one["positions"]:
            held.setdefault(position["symbol"], []).append(position)
    return [_net(symbol, held[symbol]) for symbol in sorted(held)]


def _net(symbol: str, positions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "accounts": len(positions),
        "qty": _sum(positions, "qty"),
        "avg_price": _average(positions),
        "last_price": positions[0]["last_price"],
        "value": _sum(positions, "value"),
        "unrealized_pnl": _sum(positions, "unrealized_pnl"),
    }


def _average(positions: Sequence[Mapping[str, Any]]) -> str | None:
    """The average price of what is held; None where some hold it long and others short."""
    held = [(Decimal(one["qty"]), Decimal(one["avg_price"])) for one in positions]
    if min(qty for qty, _ in held) < 0 < max(qty for qty, _ in held):
        return None
    return plain(sum((qty * price for qty, price in held), _NOTHING) / sum((qty for qty, _ in held), _NOTHING))


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    return plain(sum((Decimal(row[name]) for row in rows), _NOTHING))


def _decimal(value: Any, otherwise: Decimal = _NOTHING) -> Decimal:
    """A finite figure, or ``otherwise`` where none is known."""
    try:
        figure = Decimal(str(value))
    except InvalidOperation:
        return otherwise
    return figure if figure.is_finite() else otherwise
