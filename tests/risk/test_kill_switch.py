"""The switch: its row, its file, its history."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from access.models import AuditEntry
from access.principals import Principal
from risk import kill_switch
from risk.kill_file import KillFile
from risk.kill_switch import ReasonMissing
from risk.models import KillEvent, KillSwitch

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("var")]


def test_it_starts_released() -> None:
    assert not kill_switch.is_engaged()
    assert kill_switch.state().epoch == 0


def test_engaging_says_who_and_why(operator: Principal) -> None:
    state = kill_switch.engage("a bad fill", operator)
    assert (state.engaged, state.durable, state.changed) == (True, True, True)
    assert (state.reason, state.engaged_by) == ("a bad fill", operator.name)
    assert state.epoch == 1
    assert kill_switch.is_engaged()


def test_engaging_twice_is_one_kill(operator: Principal) -> None:
    kill_switch.engage("first", operator)
    again = kill_switch.engage("second", operator)
    assert (again.epoch, again.reason, again.changed) == (1, "first", False)
    assert KillEvent.objects.count() == 1


def test_the_epoch_only_grows(operator: Principal) -> None:
    for expected in (1, 2, 3):
        assert kill_switch.engage("again", operator).epoch == expected
        assert kill_switch.release("mended", operator).epoch == expected


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_both_ways_need_a_reason(operator: Principal, reason: str) -> None:
    with pytest.raises(ReasonMissing):
        kill_switch.engage(reason, operator)
    with pytest.raises(ReasonMissing):
        kill_switch.release(reason, operator)
    assert not kill_switch.is_engaged()


def test_each_change_is_kept_and_audited(operator: Principal) -> None:
    kill_switch.engage("out", operator)
    kill_switch.release("in", operator)
    kept = KillEvent.objects.order_by("id").values_list("action", "epoch", "reason", "actor")
    assert list(kept) == [("engaged", 1, "out", operator.name), ("released", 1, "in", operator.name)]
    verbs = AuditEntry.objects.order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["kill.engage", "kill.release"]


def test_the_file_goes_once_the_row_says_it(operator: Principal) -> None:
    kill_switch.engage("out", operator)
    assert KillFile().mark() is None


def test_a_file_made_by_hand_engages(var: Path) -> None:
    (var / "kill").touch()
    assert kill_switch.is_engaged()
    state = kill_switch.state()
    assert (state.engaged, state.durable) == (True, False)


def test_a_file_is_carried_into_the_row_and_goes(var: Path) -> None:
    KillFile().write("no database then", "night watch")
    state = kill_switch.absorb()
    assert state is not None
    assert (state.engaged, state.reason, state.engaged_by) == (True, "no database then", "night watch")
    assert not (var / "kill").exists()
    assert kill_switch.absorb() is None


def test_release_ends_what_a_file_began(var: Path, operator: Principal) -> None:
    KillFile().write("no database then", "night watch")
    assert not kill_switch.release("all is well", operator).engaged
    assert not kill_switch.is_engaged()
    assert list(KillEvent.objects.order_by("id").values_list("action", flat=True)) == ["engaged", "released"]


def test_a_file_that_is_newer_than_the_one_seen_stays() -> None:
    file = KillFile()
    old = file.write("first", "a")
    file.write("second", "b")
    file.remove(old)
    order = file.read()
    assert order is not None
    assert order.reason == "second"


def test_without_a_row_nothing_is_taken_for_released() -> None:
    KillSwitch.objects.all().delete()
    with pytest.raises(KillSwitch.DoesNotExist):
        kill_switch.is_engaged()


def test_with_the_database_away_the_file_engages_this_host(
    var: Path, operator: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(connection, "cursor", away)
    state = kill_switch.engage("anyway", operator)
    assert (state.engaged, state.durable, state.epoch) == (True, False, None)
    assert (var / "kill").exists()


def test_where_no_file_can_be_written_the_database_engages(var: Path, operator: Principal, settings: Any) -> None:
    settings.ALPHASWARM_VAR = var / "no such folder"
    assert kill_switch.engage("anyway", operator).durable


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_are_one_kill(operator: Principal) -> None:
    start = threading.Barrier(10)

    def engage() -> None:
        start.wait()
        kill_switch.engage("all of us", operator)
        connections.close_all()

    threads = [threading.Thread(target=engage) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kill_switch.state().epoch == 1
    assert KillEvent.objects.count() == 1
    assert KillFile().mark() is None
