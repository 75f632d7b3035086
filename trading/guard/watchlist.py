"""Which runs there are to look after, and which of them do not answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection

from brokers.sightings import VenueOrder
from brokers.sim import SimulatedBrokerage
from risk.halts import Halts, Place, Scope
from trading.engine.orders import OPEN_STATUSES, OrderStatus
from trading.models import Order, Run, RunStatus
from trading.restoring import restored
from trading.supervisor import OWNED

#: A session that hears a kill says so in the ledger within milliseconds: it drains, and its orders are being cancelled.
ANSWER_SECONDS: Final = 3.0
#: A session that has said so needs this long at most to see its orders closed, or to give up.
DRAIN_SECONDS: Final = 30.0

# Written out, so that the index over open orders is seen to hold them.
_OPEN: Final = "('intended', 'submitted', 'accepted', 'partially_filled', 'pending_cancel', 'unknown')"
# What a kill that flattens sends once the cancels are over; see `trading.engine.verbs.is_exit`.
_LEAVES: Final = (
    "(runs.status = 'draining' AND orders.reduce_only AND orders.type = 'market'"
    " AND orders.parent_id = '' AND orders.group_id = '')"
)
_RUNS: Final = f"""
    SELECT runs.id, runs.status, runs.venue, coalesce(runs.recipe ->> 'brokerage', '{{}}'),
           coalesce((runs.recipe -> 'session' ->> 'stop_on_kill_switch')::boolean, true),
           runs.account, coalesce((SELECT name FROM bots WHERE bots.id = runs.bot_id), ''),
           open.count, open.unasked, coalesce(open.venue_order_ids, '{{}}')
      FROM runs, LATERAL (
           SELECT count(*), count(*) FILTER (WHERE orders.status <> 'pending_cancel' AND NOT {_LEAVES}) AS unasked,
                  array_agg(orders.venue_order_id) FILTER (WHERE orders.venue_order_id IS NOT NULL) AS venue_order_ids
             FROM orders WHERE orders.run_id = runs.id AND orders.status IN {_OPEN}) AS open
     WHERE runs.mode <> 'backtest'
       AND (runs.status = ANY(%(owned)s)
            OR runs.id IN (SELECT run_id FROM orders WHERE orders.status IN {_OPEN}))
"""


@dataclass(frozen=True, eq=False)
class Watched:
    """A run that has not ended, or that has left open orders behind. One that waits for its next owner has not ended.

    ``brokerage`` is its recipe's, as JSON. ``uncancelled`` orders are open without a cancel under way and no exits of a
    run that drains. ``ends_on_kill`` is False for a session that was told to read on through a kill.
    """

    run_id: UUID
    status: str
    venue: str
    brokerage: str
    ends_on_kill: bool
    account: str
    bot: str
    open_orders: int
    uncancelled: int
    venue_order_ids: frozenset[str]

    @property
    def place(self) -> Place:
        return {Scope.ACCOUNT: self.account, Scope.BOT: self.bot, Scope.RUN: str(self.run_id)}

    @property
    def has_left(self) -> bool:
        """Whether it left its orders to nobody. Those of the simulated venue are gone until the run goes on."""
        waits = self.status == RunStatus.INTERRUPTED and self.venue == SimulatedBrokerage.venue
        return not waits and self.status not in (*OWNED, RunStatus.QUEUED)

    def sent(self, order: VenueOrder) -> bool:
        """Whether the run has sent this order: by our name for it, or by the venue's."""
        return order.client_order_id.startswith(f"{self.run_id.hex}-") or order.venue_order_id in self.venue_order_ids

    def is_silent(self, seconds: float | None) -> bool:
        """Whether it should have answered by now what was asked of it so many seconds ago; None: nothing was."""
        if seconds is None:
            return False
        waits_for_nothing = self.uncancelled == 0 and (self.status == "draining" or not self.ends_on_kill)
        if seconds < ANSWER_SECONDS or (waits_for_nothing and seconds < DRAIN_SECONDS):
            return False
        return self.ends_on_kill or self.open_orders > 0


def watched_runs() -> list[Watched]:
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, {"owned": [status.value for status in OWNED]})
        return [Watched(*row[:-1], frozenset(row[-1])) for row in cursor.fetchall()]


@dataclass(frozen=True, eq=False)
class Opening:
    """Open orders of a run that goes on, which may open something in a symbol that is halted.

    ``uncancelled``: one of them at least is open without a cancel under way. ``names`` are ours and the venue's.
    """

    run: Watched
    uncancelled: bool
    names: frozenset[str]

    def sent(self, order: VenueOrder) -> bool:
        return order.venue_order_id in self.names or order.client_order_id.partition("#")[0] in self.names

    def is_silent(self, seconds: float) -> bool:
        """Whether its session should have withdrawn them by now, so many seconds after they were first seen."""
        return seconds >= (ANSWER_SECONDS if self.uncancelled else DRAIN_SECONDS)


def opening_in_halted(runs: Iterable[Watched], halts: Halts) -> list[Opening]:
    """What these runs have open in halted symbols that is no exit. Nobody but its session reaches what rests at the
    simulated venue, and what was left behind is withdrawn in any case."""
    if not any(halt.scope is Scope.SYMBOL for halt in halts.halts):
        return []
    reached = {
        run.run_id: run
        for run in runs
        if run.open_orders and run.venue != SimulatedBrokerage.venue and not run.has_left
    }
    open_ones = Order.objects.filter(run__in=reached, status__in=OPEN_STATUSES, reduce_only=False)
    rows = open_ones.order_by().values_list("run_id", "symbol").distinct()
    found = []
    for run in Run.objects.filter(pk__in={run_id for run_id, symbol in rows if halts.of_symbol(symbol)}):
        state = restored(run)
        orders = [one for one in state.open_orders() if halts.of_symbol(one.symbol) and state.open.may_open(one)]
        if orders:
            uncancelled = any(one.status is not OrderStatus.PENDING_CANCEL for one in orders)
            names = {name for one in orders for name in (one.client_order_id, one.venue_order_id) if name}
            found.append(Opening(reached[run.pk], uncancelled, frozenset(names)))
    return found


class Stopwatch:
    """Since when each run has been asked to end, by this process' monotonic clock."""

    def __init__(self) -> None:
        self._since: dict[UUID, float] = {}

    def seconds(self, asked: Iterable[UUID], now: float) -> dict[UUID, float]:
        """For each run that is asked to end now, how long that has been so."""
        self._since = {run_id: self._since.get(run_id, now) for run_id in asked}
        return {run_id: now - since for run_id, since in self._since.items()}
