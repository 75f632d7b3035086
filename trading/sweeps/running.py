"""A worker's part in a sweep: claim some trials, run them, write them down, and so on until there are none left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.db.models.functions import Now

from trading.lease import keeper, owner_name
from trading.recipes import parse
from trading.sweeps import findings
from trading.sweeps.claims import MOST_ATTEMPTS, Claim, Claimed, lost_worker
from trading.sweeps.models import ACTIVE, Sweep, SweepStatus
from trading.sweeps.trials import Material

log = logging.getLogger(__name__)

#: Seconds of work that are claimed at once, and the most trials: enough that claims cost nothing, little enough that
#: the last worker is not waited for.
CLAIMED_SECONDS: Final = 1.0
MOST_CLAIMED: Final = 50

#: What this process has read last: a worker that comes back to a sweep finds its bars here.
_material: dict[UUID, Material] = {}


def work(sweep_id: UUID, seconds: float | None = None) -> bool:
    """Run trials of a sweep, for about ``seconds`` or until none is free; whether some were left when the time was up.

    A sweep whose last trial is done is completed here too; one whose bars cannot be read fails.
    """
    sweep = Sweep.objects.filter(pk=sweep_id, status__in=ACTIVE).first()
    if sweep is None:
        _material.pop(sweep_id, None)
        return False
    try:
        material = _material_of(sweep)
    except Exception as error:
        log.exception("sweep %s cannot be worked on", sweep_id)
        reason = f"{type(error).__name__}: {error} (on {owner_name()})"
        _end(sweep_id, SweepStatus.FAILED, reason=reason)
        return False
    until = None if seconds is None else time.monotonic() + seconds
    if _run_trials(sweep_id, material, until):
        return True
    if finish(sweep_id):
        _material.pop(sweep_id, None)
    return False


def finish(sweep_id: UUID) -> bool:
    """Complete a sweep all of whose trials are done; whether it has ended."""
    sweep = Sweep.objects.get(pk=sweep_id)
    if sweep.status not in ACTIVE:
        return True
    if sweep.status == SweepStatus.QUEUED or sweep.trials.filter(done_at__isnull=True).exists():
        return False
    _end(sweep_id, SweepStatus.COMPLETED, findings=findings.of(sweep))
    return True


def _end(sweep_id: UUID, status: SweepStatus, **columns: object) -> None:
    Sweep.objects.filter(pk=sweep_id, status__in=ACTIVE).update(status=status, ended_at=Now(), **columns)


def _material_of(sweep: Sweep) -> Material:
    found = _material.get(sweep.id)
    if found is None:
        # One at a time, for the bars of a sweep may be many.
        _material.clear()
        found = _material[sweep.id] = Material(parse(sweep.recipe), sweep.spec["objective"])
    return found


def _run_trials(sweep_id: UUID, material: Material, until: float | None) -> bool:
    """Whether there may be more to do than the time allowed."""
    size, grid = 1, material.grid.as_json()
    while not keeper().draining:
        claim = Claim(sweep_id, size, grid)
        if not claim.trials:
            return False
        started = time.monotonic()
        try:
            _run_claimed(claim, material)
        finally:
            claim.release()
        took = (time.monotonic() - started) / len(claim.trials)
        size = max(1, min(MOST_CLAIMED, int(CLAIMED_SECONDS / max(took, 1e-3))))
        if until is not None and time.monotonic() >= until:
            return True
    return True


def _run_claimed(claim: Claim, material: Material) -> None:
    def goes_on() -> bool:
        return claim.holds() and not keeper().draining

    for trial in claim.trials:
        if not goes_on():
            return
        _run_one(claim, trial, material, goes_on)


def _run_one(claim: Claim, trial: Claimed, material: Material, goes_on: Callable[[], bool]) -> None:
    if trial.attempts >= MOST_ATTEMPTS:
        claim.fail(trial.number, lost_worker(trial.attempts))
        return
    claim.start(trial.number)
    try:
        outcome = material.run(trial.params, goes_on)
    except Exception as error:
        # One combination that a strategy cannot bear must not end the others.
        log.warning("trial %d failed: %s", trial.number, error, exc_info=True)
        claim.fail(trial.number, f"{type(error).__name__}: {error}")
        return
    if outcome.whole:
        claim.write(trial.number, outcome)
