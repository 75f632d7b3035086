"""Bots: every change is a version, every run says of which it is, and only a tested version trades."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput
from trading import host, recipes
from trading.admission import GateRefused
from trading.bots import actions, queries
from trading.engine.errors import InvalidValue
from trading.models import Bot, BotVersion, Run, RunStatus
from trading.recipes import RecipeError

pytestmark = pytest.mark.django_db(transaction=True)

ME = cli_principal()


def changed(document: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    other = copy.deepcopy(document)
    other["strategy"]["kwargs"] |= kwargs
    return other


def numbers(bot: Bot) -> list[int]:
    return list(bot.versions.order_by("number").values_list("number", flat=True))


def backtested(bot: Bot, version: int | None = None) -> Run:
    run = actions.start_backtest(bot, principal=ME, version=version, enqueue=False)
    host.run_backtest(run.pk)
    run.refresh_from_db()
    assert run.metrics["sharpe"]
    return run


def test_a_change_is_a_new_version_and_the_same_again_is_none(document: dict[str, Any]) -> None:
    bot = actions.save_bot("crossing", document, principal=ME)
    actions.save_bot("crossing", {"name": document["name"], **document}, principal=ME)
    assert numbers(bot) == [1]
    actions.save_bot("crossing", changed(document, quantity=11), principal=ME)
    actions.save_bot("crossing", document, principal=ME)
    assert numbers(bot) == [1, 2, 3]
    first, _, third = bot.versions.order_by("number")
    assert first.sha256 == third.sha256 == recipes.sha256(recipes.parse(document))


def test_a_recipe_that_does_not_hold_saves_nothing(document: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        actions.save_bot("crossing", changed(document, quantity=-1), principal=ME)
    assert not Bot.objects.exists()


def test_a_run_is_stamped_with_the_version_that_it_was_started_from(document: dict[str, Any]) -> None:
    bot = actions.save_bot("crossing", document, principal=ME)
    actions.save_bot("crossing", changed(document, quantity=11), principal=ME)
    newest, first = backtested(bot), backtested(bot, 1)
    assert (newest.bot_version.number, newest.recipe["strategy"]["kwargs"]["quantity"]) == (2, 11)
    assert (first.bot_version.number, first.recipe["strategy"]["kwargs"]["quantity"]) == (1, 10)
    with pytest.raises(InvalidValue, match="has the versions 1 to 2, but not 3"):
        actions.start_backtest(bot, principal=ME, version=3)


def test_only_a_version_that_was_tested_itself_may_trade(document: dict[str, Any]) -> None:
    bot = actions.save_bot("crossing", document, principal=ME)
    backtested(bot)
    assert actions.start_paper(bot, principal=ME, starting_cash=50_000).bot_version.number == 1
    actions.save_bot("crossing", changed(document, quantity=11), principal=ME)
    with pytest.raises(GateRefused, match="this version of the bot has no finished backtest") as refused:
        actions.start_paper(bot, principal=ME)
    assert refused.value.run.status == RunStatus.BLOCKED
    assert [one["tested"] for one in queries.versions(bot)] == [False, True]
    assert actions.start_paper(bot, principal=ME, version=1).status == RunStatus.QUEUED
    actions.save_bot("crossing", document, principal=ME)
    assert [one["tested"] for one in queries.versions(bot)] == [True, False, True]
    assert actions.start_paper(bot, principal=ME).bot_version.number == 3


def test_differences_are_field_by_field() -> None:
    before = {"universe": ["SPY"], "strategy": {"class": "A", "kwargs": {"fast": 5, "slow": 20}}}
    after = {"universe": ["SPY"], "strategy": {"class": "A", "kwargs": {"fast": 6}}, "risk": {"max_orders": 3}}
    assert queries.differences(before, after) == [
        {"field": "strategy.kwargs.fast", "before": 5, "after": 6},
        {"field": "strategy.kwargs.slow", "before": 20, "after": None},
        {"field": "risk.max_orders", "before": None, "after": 3},
    ]
    assert queries.differences(before, before) == []
    assert [one["field"] for one in queries.differences({}, before)] == [
        "universe",
        "strategy.class",
        "strategy.kwargs.fast",
        "strategy.kwargs.slow",
    ]


def test_the_api_from_saving_to_a_session(script: Client, document: dict[str, Any]) -> None:
    def send(verb: str, path: str, body: Any = None) -> Any:
        return getattr(script, verb)(path, json.dumps(body or {}), content_type="application/json")

    bot = send("post", "/bots", {"name": "crossing", "recipe": document}).json()
    path = f"/bots/{bot['id']}"
    assert send("put", path, changed(document, quantity=11)).json()["versions"][0]["number"] == 2
    assert send("put", path, changed(document, quantity=-1)).status_code == 422
    started = send("post", f"{path}/backtest", {"version": 1})
    assert started.status_code == 202
    run = Run.objects.get(pk=started.json()["run_id"])
    host.run_backtest(run.pk)
    detail = script.get(path).json()
    assert [(one["bot_version"], bool(one["sharpe"])) for one in detail["backtest_runs"]] == [(1, True)]
    assert send("post", f"{path}/paper").json()["code"] == "gate_refused"
    assert send("post", f"{path}/paper", {"version": 1, "starting_cash": 50_000}).status_code == 202
    (item,) = script.get("/bots").json()["items"]
    assert (item["name"], item["version"], item["strategy"]) == ("crossing", 2, "SmaCrossStrategy")
    assert send("post", f"{path}/backtest", {"version": 9}).status_code == 422
    assert script.post(f"{path}/backtest", "", content_type="application/json").status_code == 202
    listed = script.get("/backtests?status=queued").json()["items"]
    assert [one["bot_version"] for one in listed] == [2]
    cancelled = script.post(f"/backtests/{listed[0]['id']}/cancel").json()
    assert cancelled["status"] == "stopped"


def test_a_misspelt_field_starts_nothing(script: Client, document: dict[str, Any]) -> None:
    bot = script.post("/bots", {"name": "alice", "recipe": document}, content_type="application/json").json()
    for verb, body in {"paper": {"duration_minute": 5}, "backtest": {"versions": 1}}.items():
        answer = script.post(f"/bots/{bot['id']}/{verb}", body, content_type="application/json")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] in body
    assert not Run.objects.exists()


def test_a_reader_may_not_change_bots(script: Client, document: dict[str, Any]) -> None:
    from access import actions as access

    _, secret = access.create_token("reader", "read", principal=ME)
    reader = Client(headers={"Authorization": f"Bearer {secret}"})
    bot = actions.save_bot("crossing", document, principal=ME)
    assert reader.get(f"/bots/{bot.id}").status_code == 200
    for verb, path in (("post", "/bots"), ("put", f"/bots/{bot.id}"), ("post", f"/bots/{bot.id}/backtest")):
        assert getattr(reader, verb)(path, "{}", content_type="application/json").status_code == 403


def test_the_command_line_saves_lists_shows_and_backtests(document: dict[str, Any], tmp_path: Any, capsys: Any) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(document))

    def run(*words: str) -> Any:
        capsys.readouterr()
        call_command("bot", *words, "--json")
        return json.loads(capsys.readouterr().out)

    assert run("list") == {"items": [], "next": None}
    assert run("save", "crossing", "--config", str(path))["versions"][0]["number"] == 1
    summary = run("backtest", "crossing")
    assert summary["status"] == "completed"
    shown = run("show", "crossing")
    assert (shown["versions"][0]["tested"], shown["backtest_runs"][0]["id"]) == (True, summary["run_id"])
    assert run("list")["items"][0]["sharpe"] == summary["sharpe"]
    with pytest.raises(BadInput, match="there is no bot nobody"):
        run("show", "nobody")
    with pytest.raises(BadInput, match="a name is"):
        run("save", "a name", "--config", str(path))
    capsys.readouterr()
    call_command("bot", "show", "crossing")
    assert "tested" in capsys.readouterr().out


def test_versions_are_never_changed(document: dict[str, Any]) -> None:
    actions.save_bot("crossing", document, principal=ME)
    with pytest.raises(Exception, match="append-only"):
        BotVersion.objects.update(number=7)
