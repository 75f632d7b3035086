"""Halting and releasing by API, page and command line, and what a release lets trade."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from access.models import AuditEntry
from access.principals import Principal
from risk import actions, api, halting, kill_switch, queries, runtimes
from risk.halt_models import RiskHalt
from risk.halts import Scope
from risk.models import KillEvent, KillSwitch
from risk.runtimes import HaltRow, Progress, Runtime
from tests.risk.test_api import caller as caller
from tests.risk.test_api import code_of, post
from tests.risk.test_api import device as device
from tests.risk.test_api import owner as owner
from tests.trading.market import recipe, replay
from trading import actions as trading_actions
from trading.admission import warnings_of
from trading.models import Bot, Mode, Order, Position, Run, RunStatus

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("var", "no_gatekeeper")]

Caller = Callable[[str], Client]
HTMX = {"HX-Request": "true"}


def running(**given: Any) -> Run:
    values = {"status": RunStatus.RUNNING, "mode": Mode.PAPER, "starting_cash": 100_000, "account": "alpaca-paper"}
    recipe_of = {"universe": given.pop("universe", ["SPY", "AAPL"])}
    named = {"name": "momentum", "task_id": str(uuid.uuid4())}
    return Run.objects.create(recipe=recipe_of, **{**named, **values, **given})


def resting(run: Run, side: str = "buy", qty: int = 5, symbol: str = "SPY", **given: Any) -> Order:
    values = {"client_order_id": str(uuid.uuid4()), "type": "limit", "time_in_force": "gtc", "status": "accepted"}
    values |= {"created_at": timezone.now(), "updated_at": timezone.now()}
    return Order.objects.create(
        id=str(uuid.uuid4()), run=run, seq=1, symbol=symbol, side=side, qty=qty, **{**values, **given}
    )


def holding(run: Run, qty: int = 5) -> None:
    Position.objects.create(run=run, symbol="SPY", qty=qty, cost=qty, avg_price=1, updated_at=timezone.now())


def epoch() -> int:
    return KillSwitch.objects.get().halts_epoch


# Verbs.


def test_a_halt_stands_until_it_is_released(operator: Principal) -> None:
    done = halting.halt(Scope.SYMBOL, "spy", "news", operator)
    assert (done.halt.target, done.changed, done.epoch, epoch()) == ("SPY", True, 1, 1)
    assert [row.pk for row in halting.standing()] == [done.halt.pk]
    released = halting.release(done.halt.pk, "over", operator)
    assert (released.changed, released.epoch, halting.standing()) == (True, 2, [])
    assert list(AuditEntry.objects.order_by("id").values_list("verb", flat=True)) == ["halt.engage", "halt.release"]


def test_what_is_done_already_changes_nothing(operator: Principal) -> None:
    first = halting.halt(Scope.SYMBOL, "SPY", "news", operator)
    again = halting.halt(Scope.SYMBOL, "SPY", "other news", operator)
    assert (again.halt.pk, again.halt.reason, again.changed, epoch()) == (first.halt.pk, "news", False, 1)
    halting.release(first.halt.pk, "over", operator)
    assert (halting.release(first.halt.pk, "once more", operator).changed, epoch()) == (False, 2)
    assert RiskHalt.objects.get().release_reason == "over"
    assert halting.halt(Scope.SYMBOL, "SPY", "again", operator).halt.pk != first.halt.pk


def test_a_bot_a_run_and_an_account_are_known_by_one_name(operator: Principal) -> None:
    bot = Bot.objects.create(name="momo")
    run = running(account="sim-1234")
    assert halting.known_as(Scope.BOT, str(bot.pk)) == halting.known_as(Scope.BOT, "momo") == "momo"
    assert halting.known_as(Scope.RUN, run.task_id) == halting.known_as(Scope.RUN, str(run.pk)) == str(run.pk)
    assert halting.known_as(Scope.ACCOUNT, "sim-1234") == "sim-1234"
    assert halting.known_as(Scope.ACCOUNT, "alpaca-live") == "alpaca-live"
    with pytest.raises(halting.UnknownTarget, match="there is no bot 'mono'; there are momo"):
        halting.halt(Scope.BOT, "mono", "x", operator)
    assert not RiskHalt.objects.exists()


# The API.


def test_a_scoped_halt_answers_the_halt_and_a_row_for_each_runtime(caller: Caller) -> None:
    resting(running())
    answer = post(caller("halt"), "/halt", {"scope": "account", "target": "alpaca-paper", "reason": "too fast"})
    assert answer.status_code == 200
    document = json.loads(answer.content)
    assert (document["halt"]["scope"], document["halt"]["target"]) == ("account", "alpaca-paper")
    assert document["halt"]["gate_closed_ms"] is None
    [row] = document["items"]
    assert (row["runtime"], row["count"], row["confirmed"]) == ("paper", 1, False)
    assert "1 runs not ended, 1 orders open" in row["detail"]
    assert not kill_switch.is_engaged()
    assert [one["target"] for one in caller("read").get("/halts").json()["items"]] == ["alpaca-paper"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "bot", "target": "nobody", "reason": "x"}, "target"),
        ({"scope": "symbol", "target": "not a symbol", "reason": "x"}, "target"),
        ({"scope": "symbol", "target": "SPY", "reason": " "}, "reason"),
        ({"scope": "planet", "target": "SPY", "reason": "x"}, "scope"),
    ],
)
def test_what_cannot_be_halted_names_the_field_and_halts_nothing(
    caller: Caller, body: dict[str, Any], field: str
) -> None:
    answer = post(caller("halt"), "/halt", body)
    assert answer.status_code == 422
    assert [error["field"] for error in json.loads(answer.content)["errors"]] == [field]
    assert not RiskHalt.objects.exists()


def test_a_halt_is_released_with_a_reason_and_a_second_factor(
    caller: Caller, device: TOTPDevice, operator: Principal
) -> None:
    path = f"/halts/{halting.halt(Scope.SYMBOL, 'SPY', 'news', operator).halt.pk}/release"
    assert post(caller("trade"), path, {"reason": "over"}).status_code == 403
    assert post(caller("admin"), path, {"reason": "over"}).status_code == 401
    assert halting.standing()
    code = {"X-OTP": code_of(device)}
    answer = post(caller("admin"), path, {"reason": "over"}, **code)
    assert (answer.status_code, json.loads(answer.content)["release_reason"]) == (200, "over")
    assert not halting.standing()


def test_a_halt_that_never_was_is_not_found(caller: Caller, device: TOTPDevice) -> None:
    assert caller("read").get("/halts/99/what-if").status_code == 404
    assert post(caller("admin"), "/halts/99/release", {"reason": "x"}, **{"X-OTP": code_of(device)}).status_code == 404


# What starts.


def test_nothing_starts_in_a_halted_account_or_of_a_halted_bot(
    caller: Caller, tmp_path: Any, operator: Principal
) -> None:
    document = recipe(replay(str(tmp_path / "none.csv")))
    document["brokerage"] = {"class": "AlpacaBrokerage", "kwargs": {"paper": True, "api_key": "k", "secret_key": "s"}}
    document["feed"] = {"class": "SyntheticFeed", "kwargs": {"seed": 1}}
    held = halting.halt(Scope.ACCOUNT, "alpaca-paper", "too fast", operator).halt
    with pytest.raises(trading_actions.StartHeld, match="account alpaca-paper is halted: too fast") as refused:
        trading_actions.start_paper(document, principal=operator, enqueue=False)
    assert refused.value.code == "halted"
    assert not Run.objects.exists()
    halting.release(held.pk, "over", operator)
    assert trading_actions.start_paper(document, principal=operator, enqueue=False).account == "alpaca-paper"


def test_a_session_may_start_in_a_halted_symbol_and_says_so(operator: Principal) -> None:
    halting.halt(Scope.SYMBOL, "SPY", "news", operator)
    assert warnings_of(running()) == ["orders in SPY are denied: symbol SPY is halted: news"]
    assert warnings_of(running(universe=["QQQ"])) == []


# What is open.


def test_of_a_halted_symbol_only_orders_that_open_are_waited_for() -> None:
    run = running()
    holding(run)
    resting(run, "sell", 5)
    resting(run, "sell", 9, reduce_only=True)
    resting(run, "buy", 5, symbol="AAPL")
    paper = runtimes.registered()[0]
    halt = halting.as_halts([RiskHalt(scope="symbol", target="SPY", reason="x")]).halts[0]
    assert paper.reached(halt).done
    resting(run, "sell", 6)
    resting(run, "buy", 1, status="pending_cancel")
    found = paper.reached(halt)
    assert (found.open_runs, found.open_orders, found.uncancelled) == (0, 2, 1)


def test_a_bots_halt_waits_for_its_own_runs_alone() -> None:
    bot = Bot.objects.create(name="momo")
    resting(running(bot=bot))
    resting(running())
    paper = runtimes.registered()[0]
    halt = halting.as_halts([RiskHalt(scope="bot", target="momo", reason="x")]).halts[0]
    found = paper.reached(halt)
    assert (found.open_runs, found.open_orders) == (1, 1)


# What a release lets trade.


def test_a_release_shows_what_would_trade_and_what_else_holds_the_rest(operator: Principal) -> None:
    bot = Bot.objects.create(name="momo")
    running(bot=bot, name="of the bot")
    running(name="queued", status=RunStatus.QUEUED)
    running(name="over", status=RunStatus.COMPLETED)
    halting.halt(Scope.BOT, "momo", "slow", operator)
    kill_switch.engage("drill", operator)
    found = queries.what_if()
    assert {item.name: item.held_by for item in found.items} == {
        "of the bot": "bot momo is halted: slow",
        "queued": "",
    }
    assert found.symbols == ["AAPL", "SPY"]
    halted = halting.halt(Scope.ACCOUNT, "alpaca-paper", "too fast", operator).halt
    assert {item.held_by for item in queries.what_if(halted).items} == {"the kill switch is engaged"}


def test_the_release_of_a_symbol_concerns_who_trades_it(operator: Principal) -> None:
    running(name="in it")
    running(name="in another", universe=["QQQ"])
    halted = halting.halt(Scope.SYMBOL, "SPY", "news", operator).halt
    found = queries.what_if(halted)
    assert [(item.name, item.symbols, item.held_by) for item in found.items] == [("in it", ["SPY"], "")]


def test_the_api_says_what_a_release_lets_trade(caller: Caller, operator: Principal) -> None:
    running()
    kill_switch.engage("drill", operator)
    document = caller("read").get("/portfolio/kill_switch/what-if").json()
    assert (document["releases"], document["would_trade"]) == ("the kill switch", 1)
    halted = halting.halt(Scope.SYMBOL, "SPY", "news", operator).halt
    assert caller("read").get(f"/halts/{halted.pk}/what-if").json()["would_trade"] == 0


# Pages.


@pytest.fixture
def person(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def test_the_page_halts_and_shows_it(person: Client) -> None:
    assert "Nothing is halted" in person.get(reverse("ui:halts")).content.decode()
    body = {"scope": "symbol", "target": "SPY", "reason": "<b>news</b>"}
    shown = person.post(reverse("ui:halt"), body, headers=HTMX).content.decode()
    assert "Symbol SPY is halted" in shown
    assert "&lt;b&gt;news" in shown
    assert "not confirmed" in shown
    assert person.post(reverse("ui:halt"), {**body, "target": "QQQ"}).headers["Location"] == reverse("ui:halts")
    key = queries.halts_key(halting.standing())
    assert person.get(reverse("ui:halts"), {"seen": key}, headers=HTMX).status_code == 204


def test_the_page_keeps_what_was_typed_wrong(person: Client) -> None:
    shown = person.post(reverse("ui:halt"), {"scope": "bot", "target": "nobody", "reason": "x"}, headers=HTMX)
    assert shown.status_code == 422
    assert "there is no bot" in shown.content.decode()
    assert 'value="nobody"' in shown.content.decode()


def test_the_page_releases_after_showing_what_will_trade(
    person: Client, device: TOTPDevice, operator: Principal
) -> None:
    running(name="momentum in SPY")
    halted = halting.halt(Scope.SYMBOL, "SPY", "news", operator).halt
    page = reverse("ui:halt_release", args=[halted.pk])
    assert "momentum in SPY (running): SPY" in person.get(page).content.decode()
    assert person.post(page, {"reason": "over"}).status_code == 422
    device.refresh_from_db()
    device.throttle_reset()
    done = person.post(page, {"reason": "over", "code": code_of(device)})
    assert done.headers["Location"] == reverse("ui:halts")
    assert not halting.standing()


def test_the_kill_is_released_after_showing_what_will_trade(person: Client, operator: Principal) -> None:
    running(name="reads on")
    kill_switch.engage("drill", operator)
    assert "reads on (running): SPY, AAPL" in person.get(reverse("ui:kill_release")).content.decode()


# A kill that flattens, and one that takes its time.


def test_a_kill_that_flattens_is_not_confirmed_while_something_is_held(operator: Principal) -> None:
    run = running()
    holding(run)
    report = actions.kill("drill", operator, flatten=True)
    assert (report.flatten, report.flat_ms, report.confirmed) == (True, None, False)
    assert any("1 positions held" in sentence for sentence in report.unconfirmed)
    assert KillSwitch.objects.get().flatten


def test_flat_can_be_asked_for_once_the_switch_is_engaged(operator: Principal) -> None:
    first = kill_switch.engage("drill", operator)
    more = kill_switch.engage("and flat", operator, flatten=True)
    assert (first.flatten, more.flatten, more.changed, more.epoch) == (False, True, True, first.epoch)
    assert kill_switch.engage("again", operator).flatten
    kill_switch.release("over", operator)
    assert not kill_switch.engage("anew", operator).flatten


def test_a_kill_goes_on_being_measured_until_it_is_confirmed(
    operator: Principal, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = running()
    actions.kill("drill", operator)
    first = KillEvent.objects.get().measured
    assert (first["confirmed"], first["sessions_ended_ms"]) == (False, None)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.KILLED)
    again = actions.follow_up()
    assert again is not None
    assert again.sessions_ended_ms > first["cancels_sent_ms"]
    assert again.cancels_sent_ms == first["cancels_sent_ms"]
    assert not again.confirmed, "nobody keeps this gate"
    monkeypatch.setattr(actions._Stopwatch, "_gate_is_closed", lambda self: True)
    measured = caller("read").get("/portfolio/kill_switch").json()["measured"]
    assert (measured["confirmed"], measured["unconfirmed"]) == (True, [])
    assert KillEvent.objects.get().measured == measured
    assert actions.follow_up() is None


def test_what_was_released_is_measured_no_more(operator: Principal) -> None:
    actions.kill("drill", operator)
    kill_switch.release("over", operator)
    assert actions.follow_up() is None


# Runtimes.


class Agents(Runtime):
    name = "agents"
    path = "/agents/halt"

    def halt(self, principal: Principal, reason: str) -> HaltRow:
        return HaltRow(runtime=self.name, count=3, milliseconds=1.0, confirmed=True, detail=reason)

    def progress(self, epoch: int | None) -> Progress:
        return Progress(open_runs=0, open_orders=0, uncancelled=0)


def test_a_later_runtime_gets_its_own_halt_and_its_row_by_registering_itself(operator: Principal, rf: Any) -> None:
    def paths() -> set[str]:
        return set(api.own_halts().path_operations)

    assert paths() == set()
    runtimes.register(Agents())
    try:
        assert paths() == {"/agents/halt"}
        request = rf.post("/agents/halt")
        request.principal = operator
        answer = api._halt_of(Agents())(request, api.HaltRequest(reason="a loop"))
        assert [(row["runtime"], row["count"], row["detail"]) for row in answer["items"]] == [("agents", 3, "a loop")]
        assert [row.runtime for row in actions.halt("end of day", operator)] == ["paper", "agents"]
        assert [row.runtime for row in actions.halt_scope(Scope.SYMBOL, "SPY", "x", operator).rows] == [
            "paper",
            "agents",
        ]
    finally:
        runtimes.unregister("agents")
