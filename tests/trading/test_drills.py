"""Drills: the way of every halt, tried on sessions that are there for nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from django.template.loader import render_to_string
from django.utils import timezone

from access.principals import cli_principal
from risk.alerts import own
from risk.drill_models import Drill
from risk.models import RiskHalt
from tests.live import LiveStack
from tests.trading.market import recipe, synthetic
from tests.trading.test_end_to_end import Client, eventually
from trading.engine.errors import InvalidValue
from trading.guard import drills
from trading.guard.drills import DrillUnderWay, Schedule, run_drill
from trading.models import Run
from trading.templatetags.drills import GOAL, HEIGHT, chart


def kept(minutes_ago: float = 0, **figures) -> Drill:
    began = timezone.now() - timedelta(minutes=minutes_ago)
    return Drill.objects.create(by="a test", started_at=began, sessions=3, **figures)


def test_a_drill_halts_sessions_of_its_own_and_no_other_and_keeps_its_figures(live_stack: LiveStack):
    trader = Client(live_stack, "trade")
    other = trader.start(recipe(synthetic()))["paper_run_id"]
    eventually(lambda: trader.run(other)["status"] == "running")
    answer = requests.post(
        f"{live_stack.base_url}/drills", json={"sessions": 2}, headers=trader.session.headers, timeout=60
    )
    assert answer.status_code == 200, answer.text
    drill = answer.json()

    assert (drill["confirmed"], drill["detail"], drill["sessions"], drill["orders"]) == (True, "", 2, 20)
    figures = [drill[name] for name in ("cancels_sent_ms", "open_orders_zero_ms", "sessions_ended_ms")]
    assert 0 < figures[0] <= figures[1] <= figures[2]
    assert drill["gate_closed_ms"] > 0
    assert trader.run(other)["status"] == "running"
    assert trader.get("/halts")["items"] == []
    assert trader.get("/drills")["items"][0] == live_stack.cli_json("drill", "list")["items"][0] == drill
    trader.post(f"/paper/stop/{trader.run(other)['task_id']}")


@pytest.mark.parametrize("sessions", [0, -1, 51])
@pytest.mark.django_db
def test_a_drill_of_no_sessions_or_too_many_is_refused_and_leaves_nothing(sessions):
    with pytest.raises(InvalidValue, match="sessions must be 1 to 50"):
        run_drill(cli_principal(), sessions)
    assert not Drill.objects.exists()


@pytest.mark.django_db
def test_there_is_one_drill_at_a_time():
    kept()
    with pytest.raises(DrillUnderWay, match="wait until it has ended"):
        run_drill(cli_principal())
    assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_drill_that_nobody_takes_up_says_so_and_leaves_nothing_behind(monkeypatch):
    monkeypatch.setattr(drills, "START_SECONDS", 0.1)
    drill = run_drill(cli_principal(), 1)
    assert not drill.confirmed
    assert drill.detail.startswith("0 of 10 orders rest")
    assert [run.status for run in Run.objects.all()] == ["stopped"]
    (told,) = own.failed_drills()
    assert (told.kind, told.severity, drill.detail in told.message) == ("drill", "critical", True)


def test_the_halt_of_a_drill_is_told_of_to_nobody():
    assert own.of_halt(RiskHalt(scope="account", target="drill", by="guard", reason="drill")) is None
    told = own.of_halt(RiskHalt(scope="account", target="alpaca-paper", by="mara", reason="a bad feed"))
    assert told.subject == "Account alpaca-paper was halted by mara"


@pytest.mark.parametrize(("hours", "minutes_ago", "wanted"), [(1, 61, True), (1, 59, False), (0, 10_000, False)])
@pytest.mark.django_db
def test_a_drill_is_due_so_many_hours_after_the_last(settings, monkeypatch, hours, minutes_ago, wanted):
    begun = []
    monkeypatch.setattr(drills, "run_drill", begun.append)
    settings.DRILL_HOURS = hours
    kept(minutes_ago, ended_at=timezone.now())
    Schedule().due()
    assert bool(begun) == wanted


@pytest.mark.django_db
def test_the_first_drill_waits_for_a_whole_interval(settings, monkeypatch):
    settings.DRILL_HOURS = 1
    monkeypatch.setattr(drills, "run_drill", lambda principal: pytest.fail("it was not due"))
    Schedule().due()


@pytest.mark.django_db
def test_the_page_shows_what_was_measured_and_what_was_not_confirmed():
    figures = {"gate_closed_ms": 12.3, "cancels_sent_ms": 20.0, "open_orders_zero_ms": 45.6, "sessions_ended_ms": 80.0}
    kept(20, ended_at=timezone.now(), confirmed=True, **figures)
    kept(10, ended_at=timezone.now(), confirmed=True, **{**figures, "open_orders_zero_ms": 500.0})
    kept(5, ended_at=timezone.now(), detail="the workers are <busy>")
    html = render_to_string("risk/_drills.html")
    assert "12.3 ms" in html
    assert "45.6 to 500.0 ms in 2 drills" in html
    assert "not confirmed: the workers are &lt;busy&gt;" in html


def test_the_chart_holds_the_goal_and_leaves_out_what_was_not_confirmed():
    made = chart([50.0, None, 500.0])
    assert made is not None
    heights = [float(point.partition(",")[2]) for point in made["points"].split()]
    assert len(heights) == 2
    assert heights[1] < made["goal"] < heights[0] < HEIGHT
    assert chart([GOAL, None]) is None
