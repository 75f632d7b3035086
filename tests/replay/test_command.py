"""`alphaswarm replay`, and the same by HTTP and on the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.test import Client

from access import actions as access_actions
from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, CommandFailed
from tests.trading.market import recipe, write_bars
from tests.trading.market import replay as replay_feed
from trading import actions, host
from trading.models import Run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    feed = replay_feed(write_bars(tmp_path / "bars.csv", minutes=120))
    run = actions.start_backtest(recipe(feed), principal=cli_principal(), enqueue=False)
    host.run_backtest(run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def tampered(run: Run) -> Run:
    """A run whose strategy is no longer the one that was recorded."""
    run.recipe["strategy"]["kwargs"]["quantity"] = 11
    run.save(update_fields=["recipe"])
    return run


def facts(run: Run) -> int:
    """How many facts of the run's trading are in its ledger."""
    return run.events.exclude(kind__in=["run.status", "equity"]).count()


def reader(scope: str = "read") -> Client:
    owner = access_actions.create_operator("operator", "correct horse battery")
    _, secret = access_actions.create_token("script", scope, principal=cli_principal(), owner=owner)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_the_same_again_is_told_with_how_much_was_compared(run: Run, capsys: Any) -> None:
    call_command("replay", str(run.pk))
    assert f"the same again, {facts(run)} facts over {run.num_bars} bars" in capsys.readouterr().out


def test_its_document_is_for_scripts(run: Run, capsys: Any) -> None:
    call_command("replay", str(run.pk), "--json")
    document = json.loads(capsys.readouterr().out)
    assert (document["same"], document["difference"]) == (True, None)
    assert document["recorded_hash"] == document["replayed_hash"] == run.ledger_hash


def test_the_first_difference_is_shown_side_by_side(tampered: Run, capsys: Any) -> None:
    with pytest.raises(CommandFailed) as failed:
        call_command("replay", str(tampered.pk))
    assert failed.value.returncode == 1
    assert failed.value.document["code"] == "replay_differs"
    marked = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("≠")]
    assert ["≠", "order.qty", "10", "11"] in marked


def test_a_run_that_is_not_there_is_bad_input() -> None:
    with pytest.raises(BadInput, match="there is no run"):
        call_command("replay", str(uuid4()))


def test_http_answers_the_same_document(run: Run) -> None:
    answer = reader().post(f"/paper/runs/{run.pk}/replay")
    assert answer.status_code == 200
    assert answer.json()["same"] is True
    assert answer.json()["facts"] == facts(run) > 0


def test_http_says_why_a_run_cannot_be_replayed(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(status="blocked")
    answer = reader().post(f"/paper/runs/{run.pk}/replay")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "there is nothing to replay" in answer.json()["detail"]


def test_the_page_shows_the_first_difference(tampered: Run) -> None:
    page = Client()
    page.force_login(access_actions.create_operator("operator", "correct horse battery"))
    assert f"/ui/runs/{tampered.pk}/replay/" in page.get(f"/ui/runs/{tampered.pk}/").content.decode()
    answer = page.post(f"/ui/runs/{tampered.pk}/replay/", headers={"HX-Request": "true"}).content.decode()
    assert "order.qty" in answer
    assert "<html" not in answer


def test_the_page_says_that_it_is_the_same_again(run: Run) -> None:
    page = Client()
    page.force_login(access_actions.create_operator("operator", "correct horse battery"))
    answer = page.post(f"/ui/runs/{run.pk}/replay/").content.decode()
    assert "the same again" in answer
    assert "<html" in answer
