"""A backup is one moment of the database, and a restored one trades nothing before a person lets it."""

import pytest
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from access.models import AuditEntry
from access.principals import cli_principal
from alphaswarm_site.backups import databases, making, restoring
from risk import kill_switch, places
from risk.gate_file import GateFile
from risk.models import KillEvent
from tests.ledger.builders import Trading, a_day_of_trading, new_run
from trading import ledger
from trading.engine.errors import InvalidValue
from trading.models import LedgerEvent, Run

pytestmark = pytest.mark.django_db(transaction=True)

ME = cli_principal()


@pytest.fixture
def kept():
    """Names of databases to drop at the end, those that restores have kept."""
    names = []
    yield names
    with databases.connected(databases.current()) as database:
        for name in names:
            database.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@pytest.fixture
def under_way():
    """A run in the middle of its trading."""
    run = new_run()
    trading = Trading(run)
    ledger.append_now(run.id, [trading.status("running"), *trading.filled_order()])
    Run.objects.filter(pk=run.id).update(fencing_token=3, owner="worker")
    return run, trading


def test_a_restore_takes_the_state_of_the_backup_and_lets_nothing_trade(tmp_path, under_way, kept, monkeypatch):
    # One that no gatekeeper keeps writing.
    monkeypatch.setattr(places, "gate", lambda: tmp_path / "gate")
    run, trading = under_way
    ended = new_run()
    ledger.append_now(ended.id, a_day_of_trading(ended))
    ledger.anchor_heads()
    made = making.backup(tmp_path / "file", principal=ME)
    assert (made["runs"], made["events"]) == (2, LedgerEvent.objects.count())
    assert made["last_anchor"] == ledger.verify().last_anchor
    assert (tmp_path / "file").stat().st_mode & 0o077 == 0

    # The world goes on: a fill, a run, three kills, and an owner with a newer token.
    ledger.append_now(run.id, trading.filled_order())
    newer = new_run()
    Run.objects.filter(pk=run.id).update(fencing_token=9, status="stopped")
    for _ in range(3):
        kill_switch.engage("a test", ME)
        kill_switch.release("a test", ME)
    gate = GateFile(places.gate())
    gate.write(40, False, 0, halts_epoch=7)

    with pytest.raises(restoring.Refused, match=r"3 events and 1 runs .* 1 runs under way"):
        restoring.restore(tmp_path / "file", " ", principal=ME)
    assert not kill_switch.is_engaged()
    assert Run.objects.filter(pk=newer.id).exists()

    done = restoring.restore(tmp_path / "file", "a drill", principal=ME)
    kept.append(done["kept_as"])
    places.gate().unlink()

    assert set(Run.objects.values_list("id", "status")) == {(run.id, "interrupted"), (ended.id, "halted")}
    run.refresh_from_db()
    assert run.reason == "restored from file: a drill"
    # Claims went on in the database before while this one was checked.
    for token in range(9, 12):
        with pytest.raises(ledger.LeaseLost):
            ledger.append_now(run.id, [trading.status("running")], token=token)
    state = kill_switch.state()
    assert (state.engaged, state.reason, state.epoch) == (True, run.reason, 41)
    assert KillEvent.objects.get().epoch == 41
    assert AuditEntry.objects.filter(verb="backup.restore", detail__reason="a drill").exists()
    report = ledger.verify()
    assert (report.ok, report.events) == (True, made["events"] + 1)

    # Triggers and sequences are those of any other database.
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        LedgerEvent.objects.update(kind="x")
    ledger.append_now(new_run().id, a_day_of_trading(new_run()))
    assert ledger.verify().ok
    with databases.connected(kept[0]) as before:
        assert before.execute("SELECT count(*) FROM runs").fetchone() == (3,)


def test_a_backup_whose_ledger_differs_is_not_restored(tmp_path, under_way):
    run, _ = under_way
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE runs SET cash = 5 WHERE id = %s", [run.id])
    making.backup(tmp_path / "file", principal=ME)
    with pytest.raises(restoring.Differs):
        restoring.restore(tmp_path / "file", "a drill", principal=ME)
    assert not kill_switch.is_engaged()


def test_what_is_no_backup_is_refused(tmp_path):
    (tmp_path / "text").write_text("not a backup")
    for name, message in (("none", "there is no file"), ("text", "is no backup")):
        with pytest.raises(InvalidValue, match=message):
            restoring.restore(tmp_path / name, "a drill", principal=ME)
    with pytest.raises(InvalidValue, match="name another file"):
        making.backup(tmp_path / "text", principal=ME)
    with pytest.raises(InvalidValue, match="No such file"):
        making.backup(tmp_path / "folder" / "file", principal=ME)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]
