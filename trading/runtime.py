"""What the kill switch asks of this app: halt every session, and say what is still open."""

from __future__ import annotations

import time

from django.db import connection

from access.principals import Principal
from risk.runtimes import HaltRow, Progress
from trading import actions
from trading.models import Run

HALT_SECONDS = 5.0
_POLL_SECONDS = 0.02
_NAMED = 5

# A session that was told to read on through a kill is no run that the kill ends; its orders count all the same.
_OPEN = """
    SELECT (SELECT count(*) FROM runs
             WHERE mode <> 'backtest' AND status IN ('starting', 'running', 'reducing', 'draining')
               AND coalesce((recipe -> 'session' ->> 'stop_on_kill_switch')::boolean, true)),
           count(*), count(*) FILTER (WHERE orders.status <> 'pending_cancel'),
           coalesce((array_agg(orders.id ORDER BY orders.id))[:%s], '{}')
      FROM orders JOIN runs ON runs.id = orders.run_id
     WHERE orders.status IN ('intended', 'submitted', 'accepted', 'partially_filled', 'pending_cancel', 'unknown')
       AND runs.mode <> 'backtest'
"""


class PaperRuntime:
    """Paper and live sessions, wherever they run."""

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
            milliseconds=(time.perf_counter() - asked) * 1000,
            confirmed=not left,
            detail=f"{left} sessions have not ended yet" if left else "",
        )

    def progress(self, epoch: int | None) -> Progress:
        with connection.cursor() as cursor:
            cursor.execute(_OPEN, [_NAMED])
            runs, orders, uncancelled, named = cursor.fetchone()
        return Progress(open_runs=runs, open_orders=orders, uncancelled=uncancelled, detail=tuple(named))

    def _left(self, runs: list[Run]) -> int:
        return Run.objects.filter(pk__in=[run.pk for run in runs]).exclude(status__in=actions.ENDED).count()
