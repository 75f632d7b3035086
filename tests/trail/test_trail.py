"""Why no order? From the bar to the venue, by every way in which it can be asked."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from access import actions as access_actions
from access.principals import cli_principal
from alphaswarm_site.commands import BadInput
from tests.trading.market import recipe, write_bars
from tests.trading.market import replay as replay_feed
from trading import actions, host
from trading.engine.errors import InvalidValue
from trading.models import Run
from trading.trail import trail

pytestmark = pytest.mark.django_db(transaction=True)


def run_with(folder: Path, **risk: Any) -> Run:
    feed = replay_feed(write_bars(folder / "bars.csv", minutes=120))
    run = actions.start_backtest({**recipe(feed), "risk": risk}, principal=cli_principal(), enqueue=False)
    host.run_backtest(run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return run_with(tmp_path)


def test_a_bar_at_which_the_strategy_asked_for_nothing_says_so(run: Run) -> None:
    found = trail(run, symbol="SPY", at=run.orders.earliest("seq").created_at - timedelta(minutes=1))
    assert found.verdict == "The strategy looked at the bar of SPY and asked for nothing."
    assert [bar.requests for bar in found.bars] == [[]]
    assert found.orders == []
    assert found.note == ""


def test_an_order_that_was_filled_shows_every_step_to_its_fill(run: Run) -> None:
    order = run.orders.filter(status="filled").earliest("seq")
    (shown,) = trail(run, order_id=order.id).orders
    stages = [step.stage for step in shown.steps]
    assert stages == sorted(stages, key=["signal", "size", "check", "gate", "venue"].index)
    assert set(stages) == {"signal", "size", "check", "gate", "venue"}
    assert all(step.passed is not False for step in shown.steps)
    assert {"sane_quantity", "known_price", "buying_power"} <= {step.code for step in shown.steps}
    fill = order.fills.get()
    assert shown.steps[-1].message.startswith(f"filled {fill.qty.normalize():f} at {fill.price.normalize():f}")


def test_an_order_that_a_limit_refused_names_the_limit_and_the_figure(tmp_path: Path) -> None:
    run = run_with(tmp_path, max_order_value=500, max_order_qty=100)
    order = run.orders.filter(status="denied").earliest("seq")
    found = trail(run, order_id=order.id)
    (shown,) = found.orders
    assert shown.stopped_by is not None
    assert (shown.stopped_by.code, shown.stopped_by.limit) == ("max_order_value", "500")
    assert found.verdict == f"Buy 10 SPY market, gtc: stopped at the check, {shown.stopped_by.message}."
    # What would have let it pass is told too.
    assert [step.passed for step in shown.steps if step.code == "max_order_qty"] == [True]
    assert not any(step.stage in ("gate", "venue") for step in shown.steps)


def test_a_run_that_only_reduces_is_said_to(tmp_path: Path) -> None:
    run = run_with(tmp_path, max_daily_loss="0.01", on_breach="safe_mode", resume="manual")
    found = trail(run, order_id=run.orders.filter(status="denied").latest("seq").id)
    (reduces,) = [step for step in found.state if step.passed is False]
    assert reduces.message.startswith("it only reduces: lost ")
    assert reduces.code == "max_daily_loss"


def test_without_a_moment_it_is_the_last_bar(run: Run) -> None:
    assert [bar.number for bar in trail(run).bars][-1] == run.num_bars


def test_before_the_first_bar_there_is_none(run: Run) -> None:
    found = trail(run, at=run.orders.earliest("seq").created_at - timedelta(days=400))
    assert found.bars == []
    assert found.verdict.startswith("The run has seen no bar at or before ")


def test_a_run_that_goes_another_way_now_is_told_from_its_ledger(tmp_path: Path) -> None:
    run = run_with(tmp_path, max_order_value=500)
    run.recipe["strategy"]["kwargs"]["slow"] += 1
    run.save(update_fields=["recipe"])
    found = trail(run, order_id=run.orders.filter(status="denied").latest("seq").id)
    assert found.note.startswith("The run could not be done again")
    assert found.orders[0].stopped_by is not None
    assert found.orders[0].stopped_by.code == "max_order_value"


def test_a_symbol_or_an_order_of_another_run_is_refused(run: Run) -> None:
    with pytest.raises(InvalidValue, match="symbol: NONE is not in the universe"):
        trail(run, symbol="NONE")
    with pytest.raises(InvalidValue, match="this run has no order x-1"):
        trail(run, order_id="x-1")


def reader() -> Client:
    owner = access_actions.create_operator("operator", "correct horse battery")
    _, secret = access_actions.create_token("script", "read", principal=cli_principal(), owner=owner)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_page_api_and_command_give_the_same_answer(run: Run, capsys: Any) -> None:
    order = run.orders.filter(status="filled").earliest("seq")
    call_command("why", str(run.pk), "--order", order.id, "--json")
    document = json.loads(capsys.readouterr().out)
    client = reader()
    assert client.get(f"/paper/runs/{run.pk}/why", {"order": order.id}).json() == document
    call_command("why", str(run.pk), "--order", order.id)
    assert document["verdict"] in capsys.readouterr().out
    client = Client()
    client.force_login(User.objects.get(username="operator"))
    page = client.get(f"/ui/runs/{run.pk}/why/", {"order": order.id}).content.decode()
    assert document["verdict"] in page
    assert "What the strategy knew" in page


def test_bad_questions_are_told_and_change_nothing(run: Run) -> None:
    with pytest.raises(BadInput):
        call_command("why", str(uuid4()))
    client = reader()
    assert client.get(f"/paper/runs/{run.pk}/why", {"symbol": "NONE"}).status_code == 422
    assert client.get(f"/paper/runs/{run.pk}/why", {"at": "yesterday"}).status_code == 422
    client = Client()
    client.force_login(User.objects.get(username="operator"))
    answer = client.get(f"/ui/runs/{run.pk}/why/", {"at": "yesterday"})
    assert answer.status_code == 422
    assert "Enter a valid date/time" in answer.content.decode()
