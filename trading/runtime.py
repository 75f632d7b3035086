"""What the kill switch and scoped halts ask of this app: halt every session, say what is open, say what there is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from access.principals import Principal
from brokers import BROKERAGES
from risk.halts import Halt, Halts, Scope
from risk.runtimes import Alive, HaltRow, Progress, Runtime
from trading import actions
from trading.admission import place_of
from trading.engine.orders import OPEN_STATUSES
from trading.models import Bot, Mode, Run, RunStatus

HALT_SECONDS = 5.0
_POLL_SECONDS = 0.02
_NAMED = 5
#: How many runs a person is offered to halt.
_OFFERED: Final = 200

# A session that was told to read on through a kill is no run that the kill ends, unless that flattens; its orders count
# all the same.
_OPEN = """
    SELECT (SELECT count(*) FROM runs
             WHERE mode <> 'backtest' AND status IN ('starting', 'running', 'reducing', 'draining')
               AND (coalesce((recipe -> 'session' ->> 'stop_on_kill_switch')::boolean, true)
                    OR EXISTS (SELECT FROM kill_switch WHERE engaged AND flatten))),
           count(*), count(*) FILTER (WHERE orders.status <> 'pending_cancel'),
           (SELECT count(*) FROM kill_switch JOIN runs
                ON mode <> 'backtest' AND (status IN ('starting', 'running', 'reducing', 'draining')
                                           OR ended_at >= kill_switch.engaged_at)
              JOIN positions ON positions.run_id = runs.id AND positions.qty <> 0
             WHERE kill_switch.engaged AND kill_switch.flatten),
           (array_agg(orders.id))[:%s]
      FROM orders JOIN runs ON runs.id = orders.run_id
     WHERE orders.status IN ('intended', 'submitted', 'accepted', 'partially_filled', 'pending_cancel', 'unknown')
       AND runs.mode <> 'backtest'
"""

_CONCERNED: Final = {Scope.ACCOUNT: "account", Scope.BOT: "bot__name", Scope.RUN: "pk"}
_OWNED: Final = [RunStatus.STARTING, RunStatus.RUNNING, RunStatus.REDUCING, RunStatus.DRAINING]
# Of a halted symbol those alone are waited for that could open or add to a position.
_IN_SYMBOLS = """
    SELECT orders.id, orders.status
      FROM orders JOIN runs ON runs.id = orders.run_id
      LEFT JOIN positions ON positions.run_id = orders.run_id AND positions.symbol = orders.symbol
     WHERE orders.symbol = ANY(%s) AND orders.status = ANY(%s) AND runs.mode <> 'backtest' AND NOT orders.reduce_only
       AND orders.qty - orders.filled_qty
           > greatest(CASE orders.side WHEN 'sell' THEN 1 ELSE -1 END * coalesce(positions.qty, 0), 0)
     ORDER BY orders.id
"""


class PaperRuntime(Runtime):
    """Paper and live sessions, wherever they run. Their halt by HTTP has a name of its own: ``/paper/stop-all``."""

    name = "paper"

    def halt(self, principal: Principal, reason: str) -> HaltRow:
        """Ask every session to drain, and wait a while for them."""
        asked = time.perf_counter()
        runs = actions.stop_all(principal=principal)
        give_up = asked + HALT_SECONDS
        while (left := self._left(runs)) and time.perf_counter() < give_up:
            time.sleep(_POLL_SECONDS)
        return HaltRow(
            runtime=self.name,
            count=len(runs),
            milliseconds=round((time.perf_counter() - asked) * 1000, 1),
            confirmed=not left,
            detail=f"{left} sessions have not ended yet" if left else "",
        )

    def progress(self, epoch: int | None) -> Progress:
        with connection.cursor() as cursor:
            cursor.execute(_OPEN, [_NAMED])
            runs, orders, uncancelled, held, named = cursor.fetchone()
        detail = tuple(named or ())
        return Progress(open_runs=runs, open_orders=orders, uncancelled=uncancelled, held=held, detail=detail)

    # Scoped halts.

    def known_as(self, scope: Scope, target: str) -> str | None:
        if scope is Scope.ACCOUNT:
            return target if target in _accounts() or Run.objects.filter(account=target).exists() else None
        if scope is Scope.BOT:
            found = Bot.objects.filter(name=target) | Bot.objects.filter(pk__in=_ids(target))
            return found.values_list("name", flat=True).first()
        run = (_sessions().filter(pk__in=_ids(target)) | _sessions().filter(task_id=target)).first()
        return None if run is None else str(run.pk)

    def targets(self) -> Mapping[Scope, list[str]]:
        alive = list(_alive()[:_OFFERED])
        return {
            Scope.ACCOUNT: sorted({*_accounts(), *(run.account for run in alive)}),
            Scope.BOT: list(Bot.objects.values_list("name", flat=True)),
            Scope.RUN: [str(run.pk) for run in alive],
            Scope.SYMBOL: sorted({symbol for run in alive for symbol in run.recipe.get("universe", ())}),
        }

    def reached(self, halt: Halt) -> Progress:
        if halt.scope is Scope.SYMBOL:
            return self._reached_in_symbol(halt)
        runs = _sessions().filter(**{_CONCERNED[halt.scope]: halt.target})
        statuses = runs.filter(orders__status__in=[status.value for status in OPEN_STATUSES])
        orders = list(statuses.values_list("orders__id", "orders__status"))
        return _progress(runs.filter(status__in=_OWNED).count(), orders)

    def alive(self) -> Sequence[Alive]:
        return [
            Alive(
                runtime=self.name,
                id=str(run.pk),
                name=run.name,
                status=run.status,
                place=place_of(run),
                symbols=run.recipe.get("universe", ()),
            )
            for run in _alive()
        ]

    def _reached_in_symbol(self, halt: Halt) -> Progress:
        open_statuses = [status.value for status in OPEN_STATUSES]
        halts = Halts(halts=(halt,))
        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT symbol FROM orders WHERE status = ANY(%s)", [open_statuses])
            symbols = [symbol for (symbol,) in cursor.fetchall() if halts.of_symbol(symbol)]
            cursor.execute(_IN_SYMBOLS, [symbols, open_statuses])
            return _progress(0, cursor.fetchall())

    def _left(self, runs: list[Run]) -> int:
        return Run.objects.filter(pk__in=[run.pk for run in runs]).exclude(status__in=actions.ENDED).count()


def _progress(runs: int, orders: Sequence[tuple[str, str]]) -> Progress:
    uncancelled = sum(status != "pending_cancel" for _, status in orders)
    named = tuple(order_id for order_id, _ in orders[:_NAMED])
    return Progress(open_runs=runs, open_orders=len(orders), uncancelled=uncancelled, detail=named)


def _sessions() -> QuerySet[Run]:
    return Run.objects.exclude(mode=Mode.BACKTEST).order_by()


def _alive() -> QuerySet[Run]:
    return _sessions().exclude(status__in=actions.ENDED).select_related("bot").order_by("-created_at")


def _accounts() -> set[str]:
    """The accounts of the venues where several runs share one, traded in yet or not."""
    shared: list[Any] = [brokerage for brokerage in BROKERAGES.values() if brokerage.shared]
    return {f"{brokerage.venue}-{money}" for brokerage in shared for money in ("paper", "live")}


def _ids(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
