"""A site with a long history: every kind of thing that a page shows, in any number.

Rows are made inside PostgreSQL, by INSERT ... SELECT over generate_series: no event is hashed and no figure reckoned,
so that a million fills take minutes and not hours. Pages cannot tell; `alphaswarm ledger verify` can. Only for a
database that is thrown away.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
from django.db import connection

from access.models import AuditEntry
from metadata.models import Aspect
from risk.account_models import Account
from risk.alert_models import Alert
from risk.halt_models import RiskHalt
from trading.models import Bot, BotVersion, Difference, EquityCurve, Mode, Run, RunStatus, VenueCheck
from trading.sweeps.models import Sweep, SweepStatus, SweepTrial

MODEL: Final = "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1"
RECIPE: Final[dict[str, Any]] = {
    "name": "many",
    "universe": ["SPY", "BAC"],
    "strategy": {"class": "SmaCrossStrategy", "kwargs": {"fast": 5, "slow": 20}},
    "feed": {"class": "SyntheticFeed", "kwargs": {"seed": 7, "timeframe": "1Min"}},
    "brokerage": {"class": "SimulatedBrokerage", "kwargs": {"starting_cash": 100000}},
    "risk": {},
    "session": {},
}
_FIGURES: Final = {"sharpe": 1.2, "total_return": 0.1, "max_drawdown": 0.05, "trades": 7}
_BY_HAND: Final = "bench"
#: Points of a backtest's kept curve.
_POINTS: Final = 1000

# The orders of one run from `had` to `n`, a second apart, each filled at once.
_LIFE: Final = """
    FROM (SELECT n, (CASE WHEN n %% 2 = 0 THEN 'SPY' ELSE 'BAC' END) AS symbol,
                 (CASE WHEN n / 2 %% 2 = 0 THEN 'buy' ELSE 'sell' END) AS side,
                 %(hex)s || '-' || n AS id, %(start)s::timestamptz + n * interval '1 second' AS at
            FROM generate_series(%(had)s + 1, %(n)s) AS n) life
"""
_ROWS: Final = {
    "orders": """
        INSERT INTO orders (id, run_id, seq, client_order_id, venue_order_id, symbol, side, type, time_in_force, qty,
                            filled_qty, avg_fill_price, extended_hours, reduce_only, parent_id, group_id, replaces,
                            external, sizing, status, signal, reason, created_at, updated_at)
        SELECT id, %(run)s, 4 * n - 2, id, 'v-' || id, symbol, side, 'market', 'gtc', 10, 10, 100 + n %% 7, false,
               false, '', '', '', false, '', 'filled', side, 'the averages crossed', at, at
    """,
    "fills": """
        INSERT INTO fills (run_id, seq, order_id, venue_execution_id, symbol, side, qty, price, fee, filled_at)
        SELECT %(run)s, 4 * n + 1, id, 'x' || n, symbol, side, 10, 100 + n %% 7, 0.35, at
    """,
    "events": """
        INSERT INTO ledger_events (run_id, seq, kind, event_time, payload, hash, recorded_at)
        SELECT %(run)s, 4 * n - 2 + step, kind, at,
               jsonb_build_object('order', jsonb_build_object('id', id, 'symbol', symbol, 'side', side, 'qty', '10')),
               sha256((id || kind)::bytea), at
    """,
    "equity": """
        INSERT INTO equity_points (run_id, time, equity, cash)
        SELECT %(run)s, at, 100000 + (n * 7919 %% 1000), 90000
    """,
    "risk": """
        INSERT INTO risk_events (run_id, seq, code, message, figure, "limit", created_at)
        SELECT %(run)s, 4 * n - 2, CASE WHEN n %% 3 = 0 THEN 'max_orders_per_minute' ELSE 'max_position' END,
               'more than it may', 11, 10, at
    """,
}
_POSITIONS: Final = """
    INSERT INTO positions (run_id, symbol, qty, cost, avg_price, realized_pnl, last_price, updated_at)
    SELECT %(run)s, symbol, 10, 1000, 100, 5, 101, %(start)s FROM unnest(ARRAY['SPY', 'BAC']) AS symbol
        ON CONFLICT (run_id, symbol) DO NOTHING
"""
_KINDS: Final = """
    CROSS JOIN (VALUES (0, 'order.intended'), (3, 'order.filled'))
      AS kinds(step, kind)
"""


@dataclass(frozen=True)
class Site:
    """What was made: the runs, and one of each other thing that a page can be about."""

    sessions: list[Run]
    backtests: list[Run]
    bot: Bot
    sweep: Sweep
    difference: Difference
    halt: RiskHalt
    alert: Alert
    aspect: Aspect
    account: str = "alpaca-paper"

    def parameters(self, route: str) -> dict[str, Any]:
        """What the address of a page is made with."""
        about_a_backtest = route.startswith("backtest")
        about_real_money = route in ("account_promote", "account_demote")
        return {
            "run_id": (self.backtests if about_a_backtest else self.sessions)[0].pk,
            "bot_id": self.bot.pk,
            "sweep_id": self.sweep.pk,
            "difference_id": self.difference.pk,
            "halt_id": self.halt.pk,
            "alert_id": self.alert.pk,
            "urn": self.aspect.urn,
            "name": "alpaca-live" if about_real_money else self.account,
            "number": 1,
            "token_id": 1,
        }


def site(things: int) -> Site:
    """Make ``things`` of each kind. None has traded yet; a fifth of the sessions is under way."""
    bots = [_bot(number) for number in range(things)]
    few = max(1, things // 5)
    sessions = [_run(bots[number], number, active=number < few) for number in range(things)]
    backtests = [_backtest(bots[number], number) for number in range(few)]
    around = [_around(number) for number in range(things)]
    differences = [_difference(sessions[0], number) for number in range(things)]
    sweeps = [_sweep(bots[number], number, trials=things) for number in range(things)]
    found = {"parts": {}, "positions": [], "orders": []}
    given = {"at": _now(), "seconds": 0.2, "by": _BY_HAND, "findings": found}
    VenueCheck.objects.get_or_create(account=Site.account, defaults=given)
    return Site(sessions, backtests, bots[0], sweeps[-1], differences[-1], *around[-1])


def trade(made: Site, fills: int) -> None:
    """Have as many fills in all, or a few less: a quarter in the first session, which is under way, a quarter in the
    backtests, which are booked last, and half in the other sessions."""
    first, *others = made.sessions
    _trade(first, fills // 4)
    for run in others:
        _trade(run, fills // 2 // len(others))
    for run in made.backtests:
        _trade(run, fills // 4 // len(made.backtests))


def _now() -> datetime:
    return datetime.now(UTC)


def _bot(number: int) -> Bot:
    bot = Bot.objects.create(name=f"bot-{uuid.uuid4().hex[:8]}-{number}")
    for version in (1, 2, 3):
        BotVersion.objects.create(bot=bot, number=version, recipe=RECIPE, sha256=uuid.uuid4().hex * 2)
    return bot


def _run(bot: Bot, number: int, *, active: bool) -> Run:
    ended = None if active else _now() - timedelta(minutes=number)
    return Run.objects.create(
        bot=bot,
        bot_version=bot.versions.first(),
        task_id=str(uuid.uuid4()),
        name=f"session {number}",
        mode=Mode.PAPER,
        status=RunStatus.RUNNING if active else RunStatus.STOPPED,
        synthetic=True,
        recipe=RECIPE,
        starting_cash=Decimal(100_000),
        final_equity=None if active else Decimal(100_500),
        total_pnl=None if active else Decimal(500),
        model_urn=MODEL,
        started_at=_now() - timedelta(hours=8),
        ended_at=ended,
    )


def _backtest(bot: Bot, number: int) -> Run:
    run = Run.objects.create(
        bot=bot,
        bot_version=bot.versions.first(),
        task_id=str(uuid.uuid4()),
        name=f"backtest {number}",
        mode=Mode.BACKTEST,
        status=RunStatus.COMPLETED,
        recipe=RECIPE,
        starting_cash=Decimal(100_000),
        final_equity=Decimal(110_000),
        total_pnl=Decimal(10_000),
        metrics=_FIGURES,
        started_at=_now(),
        ended_at=_now(),
    )
    times = np.int64(_now().timestamp() * 1e9) + np.arange(_POINTS, dtype="<i8") * 60_000_000_000
    equity = np.linspace(100_000, 110_000, _POINTS, dtype="<f8")
    EquityCurve.objects.create(run=run, times=times.tobytes(), equity=equity.tobytes())
    return run


def _trade(run: Run, fills: int) -> None:
    given = {"run": run.pk, "hex": run.pk.hex, "had": run.num_fills, "n": fills, "start": run.started_at}
    with connection.cursor() as cursor:
        cursor.execute(_POSITIONS, given)
        for table, insert in _ROWS.items():
            rare = " WHERE n %% 10 = 0" if table == "risk" else ""
            cursor.execute(insert + _LIFE + (_KINDS if table == "events" else "") + rare, given)
    run.num_fills = run.num_bars = fills
    run.save(update_fields=["num_fills", "num_bars"])


def _around(number: int) -> tuple[RiskHalt, Alert, Aspect]:
    """What stands around the runs: a halt, an alert, a breaker, a document, an entry of the audit."""
    alert = Alert.objects.create(
        kind="halt", severity="warning", subject=f"alert {number}", dedupe_key=str(uuid.uuid4())
    )
    Account.objects.get_or_create(name=Site.account)
    aspect = Aspect.objects.create(
        urn=f"urn:alphaswarm:mlmodel:prod:{uuid.uuid4().hex}",
        name="mlModelProperties",
        version=1,
        payload={},
        created_by=_BY_HAND,
    )
    AuditEntry.objects.create(actor=_BY_HAND, verb="halt", target=f"symbol {number}")
    target = f"X{uuid.uuid4().hex[:6].upper()}"
    halt = RiskHalt.objects.create(scope="symbol", target=target, reason="earnings", by=_BY_HAND, at=_now())
    return halt, alert, aspect


def _difference(run: Run, number: int) -> Difference:
    return Difference.objects.create(
        account=Site.account,
        run=run,
        kind="position",
        subject=f"SYM{uuid.uuid4().hex[:8]}",
        symbol="SPY",
        ticker="SPY",
        amount=Decimal(number + 1),
        ledger={"qty": "0"},
        venue={"qty": str(number + 1)},
        last_seen=_now(),
    )


def _sweep(bot: Bot, number: int, trials: int) -> Sweep:
    sweep = Sweep.objects.create(
        task_id=str(uuid.uuid4()),
        name=f"sweep {number}",
        status=SweepStatus.CANCELLED,
        bot=bot,
        bot_version=bot.versions.first(),
        recipe=RECIPE,
        spec={"objective": "sharpe", "parameters": {"strategy.kwargs.fast": [5, 6]}, "search": "grid"},
        trial_count=trials,
        started_at=_now(),
        ended_at=_now(),
    )
    SweepTrial.objects.bulk_create(
        SweepTrial(
            sweep=sweep,
            number=one,
            params={"strategy.kwargs.fast": one},
            done_at=_now(),
            score=1 / one,
            sharpe=1 / one,
            total_return=0.1,
            max_drawdown=0.02,
            figures={"num_fills": 7},
        )
        for one in range(1, trials + 1)
    )
    return sweep
