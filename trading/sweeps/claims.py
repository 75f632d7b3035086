"""Who runs which trial: a claim is a conditional UPDATE that lasts while its owner renews it (database time)."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connection

from trading.sweeps.trials import Outcome

LEASE_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 1.0
#: A trial whose workers were lost this often is left alone, lest it take down all that come by.
MOST_ATTEMPTS: Final = 3

_CLAIM: Final = """
    WITH free AS (
        SELECT trial.id FROM sweep_trials trial JOIN sweeps ON sweeps.id = trial.sweep_id
         WHERE trial.sweep_id = %(sweep)s AND sweeps.status IN ('queued', 'running') AND trial.done_at IS NULL
           AND (trial.lease_expires_at IS NULL OR trial.lease_expires_at < now())
         ORDER BY trial.number LIMIT %(most)s
           FOR UPDATE OF trial SKIP LOCKED
    )
    UPDATE sweep_trials SET claim = %(claim)s, lease_expires_at = now() + make_interval(secs => %(seconds)s)
      FROM free WHERE sweep_trials.id = free.id
 RETURNING sweep_trials.number, sweep_trials.params, sweep_trials.attempts
"""
_BEGIN: Final = """
    UPDATE sweeps SET status = 'running', started_at = now(), grid = %(grid)s::jsonb
     WHERE id = %(sweep)s AND status = 'queued'
"""
_RENEW: Final = """
    UPDATE sweep_trials SET lease_expires_at = now() + make_interval(secs => %(seconds)s)
      FROM sweeps
     WHERE sweeps.id = sweep_trials.sweep_id AND sweeps.status = 'running'
       AND sweep_trials.sweep_id = %(sweep)s AND claim = %(claim)s AND done_at IS NULL
"""
_START: Final = """
    UPDATE sweep_trials SET attempts = attempts + 1
     WHERE sweep_id = %(sweep)s AND claim = %(claim)s AND number = %(number)s AND done_at IS NULL
"""
_WRITE: Final = """
    UPDATE sweep_trials SET done_at = now(), lease_expires_at = NULL, error = %(error)s, score = %(score)s,
           sharpe = %(sharpe)s, total_return = %(total_return)s, max_drawdown = %(max_drawdown)s,
           period_sharpe = %(period_sharpe)s, figures = %(figures)s::jsonb, ledger_hash = %(ledger_hash)s,
           digest = %(digest)s
      FROM sweeps
     WHERE sweeps.id = sweep_trials.sweep_id AND sweeps.status = 'running'
       AND sweep_id = %(sweep)s AND number = %(number)s AND claim = %(claim)s AND done_at IS NULL
"""
_RELEASE: Final = """
    UPDATE sweep_trials SET claim = NULL, lease_expires_at = NULL, attempts = attempts - (number = %(started)s)::int
     WHERE sweep_id = %(sweep)s AND claim = %(claim)s AND done_at IS NULL
"""


@dataclass(frozen=True)
class Claimed:
    """A trial that is this worker's to run; ``attempts`` are those whose workers were lost over it."""

    number: int
    params: dict[str, Any]
    attempts: int


class Claim:
    """Trials taken together. Each call here is one statement, and does nothing for who is no longer the owner."""

    def __init__(self, sweep_id: UUID, most: int, grid: dict[str, Any]) -> None:
        """Claim up to ``most`` trials; with the first one of all the sweep is under way."""
        self._keys: dict[str, Any] = {"sweep": sweep_id, "claim": uuid4(), "seconds": LEASE_SECONDS}
        self._renewed = time.monotonic()
        self._held = True
        self._started = 0
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, {**self._keys, "most": most})
            found = sorted(cursor.fetchall())
            if found:
                cursor.execute(_BEGIN, {"sweep": sweep_id, "grid": json.dumps(grid)})
        self.trials = [Claimed(number, _plain(params), attempts) for number, params, attempts in found]

    def holds(self) -> bool:
        """Whether to go on; renews the claim where it is time. False once it was lost or the sweep has ended."""
        if self._held and time.monotonic() - self._renewed >= RENEW_SECONDS:
            self._renewed = time.monotonic()
            self._held = self._do(_RENEW) > 0
        return self._held

    def start(self, number: int) -> None:
        """Count an attempt, so that a trial which takes its workers down is known by it."""
        self._started = number
        self._do(_START, number=number)

    def write(self, number: int, outcome: Outcome) -> bool:
        """Keep what a trial came to; whether it was still this claim's to write."""
        names = ("sharpe", "total_return", "max_drawdown")
        return self._write(
            number,
            score=outcome.score,
            period_sharpe=outcome.period_sharpe,
            figures=json.dumps(outcome.figures),
            ledger_hash=outcome.ledger_hash,
            digest=outcome.digest,
            error="",
            **{name: outcome.figures.get(name) for name in names},
        )

    def fail(self, number: int, error: str) -> bool:
        """Keep why a trial has no figures."""
        names = ("score", "period_sharpe", "digest", "sharpe", "total_return", "max_drawdown")
        return self._write(number, figures="{}", ledger_hash="", error=error, **dict.fromkeys(names))

    def release(self) -> None:
        """Give back what was not done, for another worker to take at once."""
        self._do(_RELEASE, started=self._started)

    def _write(self, number: int, **columns: Any) -> bool:
        return self._do(_WRITE, number=number, **columns) > 0

    def _do(self, statement: str, **parameters: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**self._keys, **parameters})
            return int(cursor.rowcount)


def lost_worker(attempts: int) -> str:
    return f"its worker was lost {attempts} times; it was not tried again"


def _plain(params: Any) -> dict[str, Any]:
    """A cursor may give JSON as it was written."""
    read: dict[str, Any] = json.loads(params) if isinstance(params, str) else params
    return read
