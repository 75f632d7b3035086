"""What becomes of a run whose process ends: lost, told to end, of another version; on the real database."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

from access.models import AuditEntry
from access.principals import cli_principal
from alphaswarm_site.stack import schema
from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.paths import StackPaths
from risk import kill_switch
from tests.environment import PROJECT
from tests.ledger.builders import Trading
from trading import actions, host, ledger, releases, supervisor, tasks
from trading.engine.orders import OrderStatus
from trading.engine.records import Kind, Record
from trading.guard.sweeper import sweep
from trading.guard.watchlist import ANSWER_SECONDS, watched_runs
from trading.lease import Lease, LeaseKeeper, claim, give_away
from trading.ledger import LeaseLost
from trading.models import Mode, Run, RunBars, RunStatus
from trading.releases import OtherVersion

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subjects of alerts. No message leaves, and nobody waits for a second look."""
    subjects: list[str] = []
    monkeypatch.setattr(supervisor, "SECOND_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(supervisor.dispatch, "send", lambda run: None)
    monkeypatch.setattr(supervisor, "raise_alert", lambda kind, subject, *_: subjects.append(subject))
    return subjects


def queued(**columns: Any) -> Run:
    made = {"name": "carried on", "mode": Mode.PAPER, "recipe": {}, "starting_cash": Decimal(1000), **columns}
    return Run.objects.create(task_id=str(uuid.uuid4()), **made)


def owned(run: Run) -> Lease:
    lease = claim(run.pk)
    assert lease is not None
    data = {"status": "running", "started_at": "2026-01-01T00:00:00+00:00"}
    ledger.append_now(run.pk, [Record(Kind.RUN_STATUS, 1, data=data)], token=lease.token)
    return lease


def lose(run: Run) -> None:
    """Have its owner lose it."""
    owned(run)
    expire(run)
    assert supervisor.take_from_lost() == [run.pk]


def expire(run: Run) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE id = %s", [run.pk])


def again(run: Run) -> Run:
    run.refresh_from_db()
    return run


def statuses(run: Run) -> list[str]:
    facts = run.events.filter(kind=Kind.RUN_STATUS).order_by("seq")
    return [fact.payload["data"]["status"] for fact in facts]


def test_a_lost_session_was_interrupted_and_resumes_at_once(told: list[str]) -> None:
    run = queued()
    lose(run)
    assert statuses(run) == ["starting", "running", "interrupted", "queued"]
    assert again(run).reason == f"resumes after its owner {run.owner} was lost"
    assert run.ended_at is None
    assert told == ["1 session lost their worker and resume"]


def test_a_session_that_loses_five_owners_without_a_new_bar_stays_interrupted(told: list[str]) -> None:
    run = queued()
    for _ in range(supervisor.SESSION_ATTEMPTS):
        lose(run)
    assert again(run).status == RunStatus.INTERRUPTED
    assert "lost 5 owners without a new bar" in run.reason
    assert run.ended_at is not None
    assert len(told) == supervisor.SESSION_ATTEMPTS - 1, "of the last one the watch over ended runs tells"


def test_a_session_that_comes_further_each_time_is_resumed_each_time() -> None:
    run = queued()
    for bar in range(2 * supervisor.SESSION_ATTEMPTS):
        RunBars.objects.create(run=run, first=bar, count=1, data=b"")
        lose(run)
    assert again(run).status == RunStatus.QUEUED


def test_while_the_kill_is_engaged_a_lost_session_stays_interrupted_and_its_release_resumes_nothing() -> None:
    run = queued()
    kill_switch.engage("drill", cli_principal())
    lose(run)
    assert again(run).status == RunStatus.INTERRUPTED
    kill_switch.release("over", cli_principal())
    supervisor.redispatch_unclaimed()
    assert again(run).status == RunStatus.INTERRUPTED


def test_a_session_that_was_to_stop_when_it_was_lost_is_queued_so_that_it_ends_in_good_order() -> None:
    run = queued()
    owned(run)
    actions.stop(run, principal=cli_principal())
    expire(run)
    supervisor.take_from_lost()
    assert again(run).status == RunStatus.QUEUED
    Run.objects.filter(pk=run.pk).update(created_at="2026-01-01T00:00:00Z")
    assert supervisor.redispatch_unclaimed() == [run.pk]


def test_one_that_is_stopped_while_it_waits_for_its_next_owner_is_not_ended_on_the_spot() -> None:
    run = queued()
    lose(run)
    actions.stop(run, principal=cli_principal())
    assert again(run).status == RunStatus.QUEUED
    assert run.stop_requested_at is not None


def test_of_many_who_notice_a_lost_run_at_once_one_takes_it() -> None:
    run = queued()
    owned(run)
    expire(run)
    taken: list[Any] = []

    def look() -> None:
        taken.extend(supervisor.take_from_lost())
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == [run.pk]
    assert statuses(run).count("queued") == 1


# A kill meanwhile.


def waiting(status: RunStatus) -> Run:
    """A session on the simulated venue that waits, for its next owner or for a person, with an order open."""
    run = queued(recipe={"brokerage": {"class": "SimulatedBrokerage"}})
    lease = owned(run)
    trading = Trading(run)
    order = trading.order(limit=Decimal(90))
    facts = [trading.intend(order), trading.submit(order)]
    facts.append(trading.step(order, OrderStatus.ACCEPTED, Kind.ORDER_ACCEPTED))
    ledger.append_now(run.pk, facts, token=lease.token)
    give_away(lease, "its worker was lost")
    if status != RunStatus.QUEUED:
        ledger.append_now(run.pk, [Record(Kind.RUN_STATUS, 1, data={"status": status.value})])
    return run


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.INTERRUPTED])
def test_a_session_that_waits_is_left_alone_but_for_a_kill_which_ends_it(status: RunStatus) -> None:
    run = waiting(status)
    [watched] = watched_runs()
    assert not watched.has_left
    assert not watched.is_silent(None)
    assert watched.is_silent(ANSWER_SECONDS)
    sweep(watched.brokerage, {watched: "kill switch engaged"}, killed=True)
    assert (again(run).status, run.orders.get().status) == (RunStatus.KILLED, "cancelled")


# By a person.


def interrupted() -> Run:
    run = queued(status=RunStatus.INTERRUPTED, reason="its owner was lost", ended_at="2026-01-01T00:00:00Z")
    ledger.append_now(run.pk, [Record(Kind.RUN_STATUS, 1, data={"status": "interrupted"})])
    return run


def test_a_person_resumes_what_was_interrupted_and_says_why() -> None:
    run = interrupted()
    actions.resume(run, "looked at the venue", principal=cli_principal())
    assert (again(run).status, run.ended_at, run.resumes) == (RunStatus.QUEUED, None, 0)
    assert run.reason.endswith(": looked at the venue")
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.detail["reason"]) == ("run.resume", "looked at the venue")


def test_while_the_kill_is_engaged_nobody_resumes_it() -> None:
    run = interrupted()
    kill_switch.engage("drill", cli_principal())
    with pytest.raises(actions.StartHeld, match="kill switch is engaged"):
        actions.resume(run, "again", principal=cli_principal())
    assert again(run).status == RunStatus.INTERRUPTED


def test_a_session_that_cannot_be_brought_to_where_it_was_stays_interrupted_and_says_why() -> None:
    run = queued(started_at="2026-01-01T00:00:00Z")
    host.run_session(run.pk)
    assert again(run).status == RunStatus.INTERRUPTED
    assert run.reason.startswith("not resumed: ")


# Handing over.


def test_a_run_that_is_given_away_is_queued_and_its_owner_can_write_no_more() -> None:
    run = queued()
    lease = owned(run)
    give_away(lease, "handed over by worker-1: its worker was told to end")
    assert (again(run).status, run.resent_at) == (RunStatus.QUEUED, None)
    with pytest.raises(LeaseLost):
        ledger.append_now(run.pk, [], token=lease.token)
    with pytest.raises(LeaseLost):
        give_away(lease, "twice")


def test_owners_are_asked_to_leave_until_they_have_and_who_does_not_answer_is_named() -> None:
    willing, late, blocked = (owned(queued()) for _ in range(3))
    keeper = LeaseKeeper()
    asked: list[int] = []

    def leave_late() -> None:
        asked.append(1)
        if len(asked) == 3:
            keeper.release(late)

    willing.on_leave = lambda: keeper.release(willing)
    late.on_leave = leave_late
    for lease in (willing, late, blocked):
        keeper.hold(lease)
    assert keeper.hand_over(seconds=0.5) == [blocked]
    assert keeper.draining
    keeper.release(blocked)


def test_a_message_that_comes_to_a_worker_that_is_to_end_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = queued(resent_at="2026-01-01T00:00:00Z")
    keeper = LeaseKeeper()
    keeper.draining = True
    monkeypatch.setattr(tasks, "keeper", lambda: keeper)
    tasks.run_session(str(run.pk))
    assert (again(run).status, run.resent_at) == (RunStatus.QUEUED, None)


_BLOCKED = """
import threading, uuid
import django
django.setup()
from trading import host
from trading.lease import claim, keeper
keeper().hold(claim(uuid.UUID({run_id!r})))
threading.Thread(target=threading.Event().wait).start()
host.leave()
"""


def test_a_session_that_is_blocked_holds_up_neither_its_run_nor_the_end_of_its_worker() -> None:
    run = queued()
    database = StackPaths.from_environment().database_url(name=connection.settings_dict["NAME"])
    environment = {**os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "alphaswarm_site.settings"}
    script = [sys.executable, "-c", _BLOCKED.format(run_id=str(run.pk))]
    ended = subprocess.run(script, cwd=PROJECT, env=environment, timeout=60, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert again(run).status == RunStatus.QUEUED
    assert run.reason == f"handed over by {run.owner}: its session did not answer"
    assert claim(run.pk) is not None


def test_where_the_database_fails_over_one_that_is_blocked_the_others_are_handed_over_and_the_worker_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = owned(queued()), owned(queued())
    lost: list[Lease] = []
    for lease in (first, second):
        lease.on_lost = partial(lost.append, lease)

    def give(lease: Lease, reason: str) -> None:
        if lease is first:
            raise OperationalError("the connection is closed")
        give_away(lease, reason)

    keeper, writer, ended = LeaseKeeper(), Mock(), Mock()
    monkeypatch.setattr(keeper, "hand_over", lambda: [first, second])
    monkeypatch.setattr(host, "keeper", lambda: keeper)
    monkeypatch.setattr(host, "give_away", give)
    monkeypatch.setattr(ledger, "writer", lambda: writer)
    monkeypatch.setattr(os, "_exit", ended)
    host.leave()
    assert lost == [first, second]
    assert [Run.objects.get(pk=lease.run_id).status for lease in lost] == [RunStatus.RUNNING, RunStatus.QUEUED]
    ended.assert_called_once_with(0)


# Versions.


@pytest.fixture
def other_version() -> Iterator[None]:
    """A stack of another version than this process is up."""
    with override_settings(PROGRAM_VERSION="0.2.0+new"):
        releases.declare()
        yield
        releases.withdraw()


def test_who_owns_a_run_is_kept_with_its_version() -> None:
    run = queued()
    with override_settings(PROGRAM_VERSION="0.2.0+new"):
        claim(run.pk)
    assert again(run).version == "0.2.0+new"
    fact = run.events.get(kind=Kind.RUN_STATUS).payload["data"]
    assert (fact["owner"], fact["version"]) == (run.owner, "0.2.0+new")


def test_a_process_of_another_version_than_the_stack_claims_nothing(other_version: None) -> None:
    run = queued()
    with override_settings(PROGRAM_VERSION="0.1.0+old"):
        with pytest.raises(OtherVersion, match=r"the stack runs version 0\.2\.0\+new, this process 0\.1\.0\+old"):
            claim(run.pk)
        assert claim(uuid.uuid4()) is None
    assert again(run).status == RunStatus.QUEUED
    assert claim(run.pk) is not None


def test_what_a_worker_of_another_version_may_not_take_waits_with_the_reason(other_version: None) -> None:
    run = queued(resent_at="2026-01-01T00:00:00Z")
    with override_settings(PROGRAM_VERSION="0.1.0+old"):
        for _ in range(2):
            tasks.run_session(str(run.pk))
    assert (again(run).status, run.resent_at) == (RunStatus.QUEUED, None)
    assert run.reason.startswith("waits for a worker: the stack runs version 0.2.0+new")
    assert statuses(run) == ["queued"], "it is told once"


def test_who_may_own_nothing_starts_nothing_to_run_itself(other_version: None) -> None:
    with override_settings(PROGRAM_VERSION="0.1.0+old"), pytest.raises(OtherVersion):
        actions.start_paper("sim_sma_cross", principal=cli_principal(), enqueue=False)
    assert not Run.objects.exists()


def test_where_no_stack_has_declared_a_version_any_may_own(other_version: None) -> None:
    releases.withdraw()
    with override_settings(PROGRAM_VERSION="0.1.0+old"):
        assert claim(queued().pk) is not None


def test_what_another_version_has_declared_since_is_not_withdrawn(other_version: None) -> None:
    with override_settings(PROGRAM_VERSION="0.1.0+old"):
        releases.withdraw()
    assert releases.declared() == "0.2.0+new"


# Migrations.


@pytest.fixture
def waiting_migration() -> Iterator[None]:
    """A migration that is not applied, as far as the database knows."""
    recorder = MigrationRecorder(connection)
    last = recorder.migration_qs.filter(app="metadata").latest("id")
    recorder.record_unapplied(last.app, last.name)
    yield
    recorder.record_applied(last.app, last.name)


def test_the_database_is_not_changed_under_a_run_that_is_owned(waiting_migration: None) -> None:
    run = queued()
    owned(run)
    with pytest.raises(CommandError, match=f"not updated under 1 active runs .*{run.pk}.*restart --migrate"):
        call_command("migrate", verbosity=0)
    with pytest.raises(StackError, match="not updated under 1 active runs"):
        schema.bring_up_to_date(print, strict=True)


def test_another_command_goes_on_without_the_migration_and_says_so(waiting_migration: None) -> None:
    owned(queued())
    told: list[str] = []
    schema.bring_up_to_date(told.append)
    assert [one.split(" (")[0] for one in told] == ["The database is not updated under 1 active runs"]
    assert schema.pending()


def test_a_run_that_waits_for_its_next_owner_holds_no_migration_up() -> None:
    lease = owned(queued())
    assert schema.refusal()
    give_away(lease, "handed over")
    assert schema.refusal() == ""


def test_who_changes_the_database_all_the_same_says_why_and_is_kept_with_it() -> None:
    owned(queued())
    with pytest.raises(CommandError):
        call_command("migrate", "metadata", despite_runs="  ", verbosity=0)
    call_command("migrate", "metadata", despite_runs="only an index", verbosity=0)
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.detail["reason"]) == ("database.migrate", "only an index")
