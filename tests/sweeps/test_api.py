"""The JSON API of sweeps, as scripts use it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from access import actions as access
from access.principals import cli_principal
from tests.sweeps.conftest import SPEC
from trading.bots import actions as bots
from trading.models import Run
from trading.sweeps.models import Sweep
from trading.sweeps.running import work

pytestmark = pytest.mark.django_db


class Script:
    def __init__(self, scope: str) -> None:
        _, token = access.create_token(scope, scope, principal=cli_principal())
        self._client = Client(headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str) -> Any:
        return self._client.get(path)

    def post(self, path: str, document: Any = None) -> Any:
        return self._client.post(path, document or {}, content_type="application/json")


@pytest.fixture
def script() -> Script:
    return Script("trade")


def started(script: Script, **body: Any) -> Any:
    answer = script.post("/sweeps", {"sweep": SPEC, **body})
    assert answer.status_code == 202, answer.content
    return answer.json()


def test_a_sweep_from_start_to_backtest(script: Script, crossover: dict[str, Any]) -> None:
    row = started(script, recipe=crossover)
    assert (row["status"], row["trials"], row["skipped"]) == ("queued", 5, 1)
    work(Sweep.objects.get().id)
    detail = script.get(f"/sweeps/{row['id']}").json()
    assert (detail["status"], detail["done"]) == ("completed", 5)
    assert detail["luck"]["trials"] == 5
    best = script.get(f"/sweeps/{row['id']}/trials?sort=-score&limit=2").json()
    assert best["items"][0] == detail["best"]
    assert best["next"]
    answer = script.post(f"/sweeps/{row['id']}/trials/{detail['best']['number']}/backtest")
    assert answer.status_code == 202
    assert str(Run.objects.get().id) == answer.json()["run_id"]
    assert [one["id"] for one in script.get("/sweeps").json()["items"]] == [row["id"]]


def test_a_bots_newest_recipe_can_be_swept(script: Script, crossover: dict[str, Any]) -> None:
    bot = bots.save_bot("crossing", crossover, principal=cli_principal())
    assert started(script, bot_id=str(bot.id))["bot_id"] == str(bot.id)


def test_a_ready_recipe_is_named_and_a_path_is_not(script: Script) -> None:
    assert started(script, config="sim_sma_cross")["name"] == "sim_sma_cross"
    answer = script.post("/sweeps", {"sweep": SPEC, "config": "../../etc/passwd"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_sweep_is_cancelled(script: Script, crossover: dict[str, Any]) -> None:
    row = started(script, recipe=crossover)
    assert script.post(f"/sweeps/{row['id']}/cancel").json()["status"] == "cancelled"


def test_every_problem_is_named_by_its_field(script: Script, crossover: dict[str, Any]) -> None:
    answer = script.post("/sweeps", {"recipe": crossover, "sweep": {"parameters": {"fast": ["x"], "fasst": [1]}}})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["sweep.parameters.fast", "sweep.parameters.fasst"]


@pytest.mark.parametrize("body", [{}, {"config": "demo", "recipe": {}}])
def test_one_recipe_has_to_be_named(script: Script, body: dict[str, Any]) -> None:
    answer = script.post("/sweeps", {"sweep": SPEC, **body})
    assert (answer.status_code, answer.json()["detail"]) == (422, "give exactly one of recipe, config and bot_id")


@pytest.mark.parametrize(
    "path", ["/sweeps/{}", "/sweeps/{}/trials", "/sweeps/{}/cancel", "/sweeps/{}/trials/1/backtest"]
)
def test_what_is_not_there_is_not_found(script: Script, path: str) -> None:
    address = path.format("00000000-0000-0000-0000-000000000000")
    answer = script.post(address) if address.endswith(("cancel", "backtest")) else script.get(address)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_reader_may_look_but_not_start(crossover: dict[str, Any]) -> None:
    reader = Script("read")
    assert reader.get("/sweeps").status_code == 200
    assert reader.post("/sweeps", {"recipe": crossover, "sweep": SPEC}).status_code == 403
