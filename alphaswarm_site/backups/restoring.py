"""Restoring: a backup becomes the database in use, and nothing trades before a person lets it.

What a backup cannot know is what happened after it. So every run that was under way in it is left interrupted, with a
fencing token that no living owner has, and the kill switch is engaged, at an epoch that no gate has seen. A venue is
asked what it holds before anything trades again, as at every start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models import Max

from access import audit
from access.principals import Principal
from alphaswarm_site.backups import databases
from alphaswarm_site.stack import schema
from alphaswarm_site.stack.waiting import wait_until
from risk import kill_switch, places
from risk.gate import OrderGate
from risk.models import KillSwitch
from trading import ledger
from trading.actions import ENDED
from trading.endings import RESTORED
from trading.engine.bars import to_nanos
from trading.engine.errors import InvalidValue
from trading.engine.records import Kind, Record
from trading.models import LedgerHead, Run, RunStatus

Report = Callable[[str], None]

END_SECONDS: Final = 20
#: By so much is a restored token above the one that was read. The database in use goes on until the other takes its
#: place, and each claim of a run in that time makes a token of its own.
_TOKEN_STEP: Final = 1_000_000
_TOKENS: Final = "SELECT id, fencing_token FROM runs WHERE fencing_token > 0"
_FENCE: Final = f"""
    UPDATE runs SET fencing_token = greatest(fencing_token, given.token) + {_TOKEN_STEP}
      FROM unnest(%s::uuid[], %s::bigint[]) AS given(id, token) WHERE runs.id = given.id
"""


class Refused(Exception):
    """Restoring would take something away that only a reason lets go. ``lost`` says what."""

    def __init__(self, lost: Lost) -> None:
        super().__init__(f"{lost}: give --reason to restore all the same")
        self.lost = lost


class Differs(Exception):
    """The backup's ledger is not what was written."""

    def __init__(self, report: ledger.Report) -> None:
        super().__init__(f"the ledger in the backup has {report.num_differences:,} differences: nothing was changed")
        self.report = report


@dataclass(frozen=True)
class Lost:
    """What the database in use has and the backup has not: events, runs, and how many of its runs are under way."""

    events: int
    runs: int
    active: int

    def __bool__(self) -> bool:
        return bool(self.events or self.runs or self.active)

    def __str__(self) -> str:
        return (
            f"the database in use has {self.events:,} events and {self.runs:,} runs that the backup does not have, and"
            f" {self.active:,} runs under way"
        )


@dataclass(frozen=True)
class _InUse:
    """What must not go back: heads and tokens of the runs, and the epochs of switch and halts."""

    heads: dict[UUID, int]
    tokens: dict[UUID, int]
    active: int
    epoch: int
    halts_epoch: int


def restore(file: Path, reason: str, *, principal: Principal, report: Report = lambda text: None) -> dict[str, Any]:
    """Let the backup in ``file`` take the place of the database in use; what was done.

    Raises `InvalidValue` for a file that is no backup of this program, `Refused` where facts or runs under way would be
    lost and ``reason`` is empty, `Differs`, and `ToolFailed`. Whatever is raised, the database in use is the one
    before; a kill that was engaged for the restore stays engaged.
    """
    if not file.is_file():
        raise InvalidValue(f"there is no file {file}")
    reason = reason.strip()
    with databases.beside() as fresh:
        report("Reading the backup ...")
        _read(file, fresh)
        with databases.using(fresh):
            _check_version(file)
            schema.bring_up_to_date(report)
            report("Checking its ledger ...")
            found = ledger.verify()
            held = dict(LedgerHead.objects.values_list("run_id", "seq"))
        if not found.ok:
            raise Differs(found)
        lost = _lost(_in_use(), held)
        if lost and not reason:
            raise Refused(lost)
        why = f"{RESTORED} {file.name}" + (f": {reason}" if reason else "")
        # From here on nothing may leave: sessions under way cancel what they have open, as on any kill.
        kill_switch.engage(why, principal)
        _wait_for_the_end(report)
        in_use = _in_use()
        with databases.using(fresh):
            interrupted = _make_safe(why, in_use, principal)
            audit.record(principal, "backup.restore", f"file:{file.name}", reason=reason, lost=str(lost))
            report("Checking what was made of it ...")
            found = ledger.verify()
        if not found.ok:
            raise Differs(found)
        kept = databases.put_in_place(fresh)
    return {
        "file": str(file),
        "runs": found.runs,
        "events": found.events,
        "interrupted": interrupted,
        "lost_events": lost.events,
        "lost_runs": lost.runs,
        "kept_as": kept,
        "kill_epoch": kill_switch.state().epoch,
    }


def _read(file: Path, fresh: str) -> None:
    try:
        databases.run("pg_restore", "--list", str(file))
    except databases.ToolFailed as error:
        raise InvalidValue(f"{file} is no backup: {error}") from error
    databases.run("pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", str(file), database=fresh)


def _check_version(file: Path) -> None:
    loader = MigrationLoader(connection)
    if not loader.applied_migrations:
        raise InvalidValue(f"{file} is a backup of something else")
    unknown = sorted(set(loader.applied_migrations) - set(loader.disk_migrations))
    if unknown:
        raise InvalidValue(f"{file} was made by a newer version of the program, with {'.'.join(unknown[-1])}: update")


def _in_use() -> _InUse:
    with connection.cursor() as cursor:
        cursor.execute(_TOKENS)
        tokens = dict(cursor.fetchall())
    switch, gate = KillSwitch.objects.get(pk=1), OrderGate(places.gate()).read()
    return _InUse(
        heads=dict(LedgerHead.objects.values_list("run_id", "seq")),
        tokens=tokens,
        active=Run.objects.exclude(status__in=ENDED).count(),
        epoch=max(switch.epoch, gate.epoch),
        halts_epoch=max(switch.halts_epoch, gate.halts_epoch),
    )


def _lost(in_use: _InUse, held: dict[UUID, int]) -> Lost:
    events = sum(max(0, seq - held.get(run, 0)) for run, seq in in_use.heads.items())
    return Lost(events, len(in_use.heads.keys() - held.keys()), in_use.active)


def _wait_for_the_end(report: Report) -> None:
    under_way = Run.objects.exclude(status__in=[*ENDED, RunStatus.QUEUED])
    if under_way.exists():
        report("Waiting for the runs under way to end ...")
        wait_until(lambda: not under_way.exists(), END_SECONDS, every=0.2)


def _make_safe(why: str, in_use: _InUse, principal: Principal) -> int:
    """Leave nothing under way and the kill switch engaged; how many runs were interrupted."""
    now = datetime.now(UTC)
    data = {"status": RunStatus.INTERRUPTED.value, "reason": why, "ended_at": now.isoformat()}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FENCE, [list(in_use.tokens), list(in_use.tokens.values())])
        # One that was interrupted may have been resumed since.
        ended = [status for status in ENDED if status != RunStatus.INTERRUPTED]
        under_way = list(Run.objects.exclude(status__in=ended).values_list("id", flat=True))
        for run_id in under_way:
            ledger.append_now(run_id, [Record(Kind.RUN_STATUS, to_nanos(now), reason=why, data=data)])
        ledger.anchor_heads()
        row = KillSwitch.objects.aggregate(epoch=Max("epoch"), halts_epoch=Max("halts_epoch"))
        KillSwitch.objects.update(
            engaged=False,
            epoch=max(row["epoch"], in_use.epoch),
            halts_epoch=max(row["halts_epoch"], in_use.halts_epoch) + 1,
        )
    kill_switch.engage(why, principal)
    return len(under_way)
