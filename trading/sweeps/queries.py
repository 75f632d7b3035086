"""The reads of sweeps, in one shape for the pages, the API and the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Q
from django.utils import timezone

from trading.engine.errors import InvalidValue
from trading.pages import page
from trading.rows import moment
from trading.sweeps.findings import luck
from trading.sweeps.models import ACTIVE, Sweep, SweepTrial

Row = dict[str, Any]

NEWEST: Final = ["-created_at", "-id"]
#: What trials can be sorted by; what has no figure is left out where one sorts by it.
SORTS: Final = ("number", "score", "sharpe", "total_return", "max_drawdown")
_COUNTED: Final = {"done": Count("trials", filter=Q(trials__done_at__isnull=False))}


def find(sweep_id: UUID | str) -> Sweep | None:
    """A sweep by its id or its task id."""
    key = str(sweep_id)
    try:
        wanted = Q(pk=UUID(key)) | Q(task_id=key)
    except ValueError:
        return None
    return Sweep.objects.filter(wanted).select_related("bot", "bot_version").first()


def trial(sweep_id: UUID, number: int) -> SweepTrial | None:
    return SweepTrial.objects.filter(sweep=sweep_id, number=number).select_related("sweep").first()


def sweeps(after: str | None = None, limit: int = 50) -> Row:
    """A page of sweeps, newest first. Raises `InvalidValue` for a cursor that is none."""
    return page(Sweep.objects.annotate(**_COUNTED), NEWEST, after, limit, sweep_row)


def sweep_row(sweep: Sweep) -> Row:
    done = getattr(sweep, "done", None)
    if done is None:
        done = sweep.trials.filter(done_at__isnull=False).count()
    return {
        "id": str(sweep.id),
        "task_id": sweep.task_id,
        "bot_id": None if sweep.bot_id is None else str(sweep.bot_id),
        "name": sweep.name,
        "status": sweep.status,
        "reason": sweep.reason,
        "objective": sweep.spec["objective"],
        "parameters": list(sweep.spec["parameters"]),
        "trials": sweep.trial_count,
        "done": done,
        "skipped": sum(sweep.skipped.values()),
        "active": sweep.status in ACTIVE,
        "seconds_left": seconds_left(sweep, done),
        "created_by": sweep.created_by,
        "created_at": moment(sweep.created_at),
        "started_at": moment(sweep.started_at),
        "ended_at": moment(sweep.ended_at),
    }


def seconds_left(sweep: Sweep, done: int, now: datetime | None = None) -> float | None:
    """How long a sweep will take by its pace so far; None where that is not known yet, or it has ended."""
    if sweep.status not in ACTIVE or sweep.started_at is None or not done:
        return None
    took = ((now or timezone.now()) - sweep.started_at).total_seconds()
    return round(max(0.0, took) / done * (sweep.trial_count - done), 1)


def sweep_detail(sweep: Sweep) -> Row:
    """``best`` by the objective, and ``luck``, overfitting and walk-forward as far as they are known yet."""
    found = sweep.findings or {"luck": luck(sweep), "overfitting": None, "walk_forward": None}
    best = sweep.trials.filter(score__isnull=False).order_by("-score", "number").first()
    failed = sweep.trials.exclude(error="").count()
    return {
        **sweep_row(sweep),
        "failed": failed,
        "skipped_reasons": sweep.skipped,
        "spec": sweep.spec,
        "recipe": sweep.recipe,
        "best": None if best is None else trial_row(best),
        **found,
    }


def trials(sweep: Sweep, sort: str = "number", after: str | None = None, limit: int = 100) -> Row:
    """A page of trials by one of `SORTS`, with a leading ``-`` from the highest on. Raises `InvalidValue`."""
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise InvalidValue(f"sort is one of {', '.join(SORTS)}, with a leading - from the highest on, not {sort}")
    found = sweep.trials.defer("digest")
    if name == "number":
        return page(found, [sort], after, limit, trial_row)
    return page(found.filter(**{f"{name}__isnull": False}), [sort, "number"], after, limit, trial_row)


def trial_row(trial: SweepTrial) -> Row:
    """``done`` is False while there are no figures; ``error`` says why there will be none."""
    figures = {name: value for name, value in trial.figures.items() if name != "moments"}
    return {
        "number": trial.number,
        "params": trial.params,
        "done": trial.done_at is not None,
        "error": trial.error,
        "score": trial.score,
        "sharpe": trial.sharpe,
        "total_return": trial.total_return,
        "max_drawdown": trial.max_drawdown,
        "figures": figures,
        "ledger_hash": trial.ledger_hash,
    }
