"""Following tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.principals import cli_principal
from risk import kill_switch
from risk.alert_models import Alert, AlertPosition
from risk.alerts import Notice, follow, following
from risk.alerts.following import Lasting, Look, Table, advance
from risk.models import KillEvent


@given(st.data())
def test_every_row_is_seen_exactly_once_in_whatever_order_rows_are_committed(data):
    """Rows 1 to 30, each committed late or never; read now and then, at most a few at a time."""
    order = data.draw(st.permutations(range(1, 31)))
    lost = data.draw(st.sets(st.integers(1, 30), max_size=5))
    batch = data.draw(st.integers(1, 8))
    committed: set[int] = set()
    ceiling, gaps, seen = 0, {}, []
    for now, row in enumerate(order):
        if row not in lost:
            committed.add(row)
        if data.draw(st.booleans()):
            found = sorted(one for one in committed if one > ceiling or one in gaps)[:batch]
            seen += found
            ceiling, gaps = advance(ceiling, gaps, found, float(now))
    while found := sorted(one for one in committed if one > ceiling or one in gaps)[:batch]:
        seen += found
        ceiling, gaps = advance(ceiling, gaps, found, 31.0)
    assert sorted(seen) == sorted(committed)
    assert len(seen) == len(set(seen))


def test_a_number_that_stays_missing_is_given_up():
    ceiling, gaps = advance(0, {}, [1, 3], 100.0)
    assert (ceiling, gaps) == (3, {2: 100.0})
    assert advance(ceiling, gaps, [], 159.0) == (3, {2: 100.0})
    assert advance(ceiling, gaps, [], 160.0) == (3, {})


def test_a_leap_of_the_numbers_costs_a_bounded_search():
    _, gaps = advance(0, {}, [10**12], 1.0)
    assert len(gaps) == following.MOST_MISSING


def test_what_lasts_is_told_after_its_time_and_not_when_it_flickers():
    lasting = Lasting()
    assert lasting.longer_than(10, ["a", "b"], 100.0) == []
    assert lasting.longer_than(10, ["a"], 105.0) == []
    assert lasting.longer_than(10, ["a", "b"], 110.0) == ["a"]


@pytest.fixture
def only_kills(monkeypatch, no_gatekeeper):
    monkeypatch.setattr(following, "_sources", {})
    from risk.alerts import own

    following.register(Table("kill_events", KillEvent.objects.all, own.of_kill))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("only_kills")
def test_a_kill_and_its_release_are_told_once_each_and_history_is_not_told_at_all():
    kill_switch.engage("before anybody listened", cli_principal())
    assert follow() == 0
    kill_switch.release("all is well", cli_principal())
    kill_switch.engage("a bad fill", cli_principal())
    assert follow() == 2
    assert follow() == 0
    engaged, released = Alert.objects.order_by("-severity", "pk").filter(count=1).order_by("-pk")
    assert (engaged.severity, engaged.message) == ("critical", "Epoch 2: a bad fill")
    assert released.severity == "warning"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("only_kills")
def test_an_alert_that_cannot_be_written_leaves_the_position_where_it_was(monkeypatch):
    follow()
    kill_switch.engage("a bad fill", cli_principal())
    with monkeypatch.context() as patch:
        patch.setattr(following, "record", lambda notice: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            follow()
    assert AlertPosition.objects.get().ceiling == 0
    assert follow() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("only_kills")
def test_a_source_that_fails_keeps_no_other_from_its_turn():
    follow()
    following.register(Look("broken", lambda: [1 / 0]))
    following.register(Look("well", lambda: [Notice(kind="halt", subject="here")]))
    kill_switch.engage("a bad fill", cli_principal())
    with pytest.raises(ZeroDivisionError):
        follow()
    assert sorted(Alert.objects.values_list("kind", flat=True)) == ["halt", "kill"]
