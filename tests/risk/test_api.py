"""Stopping by HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import actions as access_actions
from access.principals import cli_principal
from risk import kill_switch

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var", "no_gatekeeper")]

PATHS = ["/portfolio/kill_switch", "/kill-switch"]
ENGAGE = {"engaged": True, "reason": "a bad fill"}
RELEASE = {"engaged": False, "reason": "mended"}


@pytest.fixture
def owner() -> User:
    return access_actions.create_operator("operator", "correct horse battery")


@pytest.fixture
def device(owner: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=owner, name="test", confirmed=True)


@pytest.fixture
def caller(owner: User) -> Callable[[str], Client]:
    def make(scope: str) -> Client:
        _, secret = access_actions.create_token("script", scope, principal=cli_principal(), owner=owner)
        return Client(headers={"Authorization": f"Bearer {secret}"})

    return make


def code_of(device: TOTPDevice) -> str:
    return f"{TOTP(device.bin_key, device.step, device.t0, device.digits).token():06d}"


def post(client: Client, path: str, body: dict[str, Any], **headers: str) -> HttpResponse:
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


@pytest.mark.parametrize("path", PATHS)
def test_engaging_answers_state_epoch_and_measure(caller: Callable[[str], Client], path: str) -> None:
    answer = post(caller("halt"), path, ENGAGE)
    assert answer.status_code == 200
    document = json.loads(answer.content)
    assert (document["engaged"], document["epoch"], document["reason"]) == (True, 1, "a bad fill")
    assert document["measured"]["confirmed"] is False
    assert "gate_closed_ms" in document["measured"]
    assert kill_switch.is_engaged()


def test_the_state_is_read_with_its_last_measure(caller: Callable[[str], Client]) -> None:
    post(caller("halt"), PATHS[0], ENGAGE)
    document = caller("read").get(PATHS[0]).json()
    assert (document["engaged"], document["engaged_by"]) == (True, "script")
    assert document["measured"]["gate_closed_ms"] is None


@pytest.mark.parametrize("body", [{"engaged": True}, {"engaged": True, "reason": "  "}])
def test_an_empty_reason_is_named(caller: Callable[[str], Client], body: dict[str, Any]) -> None:
    answer = post(caller("halt"), PATHS[0], body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in json.loads(answer.content)["errors"]] == ["reason"]
    assert not kill_switch.is_engaged()


def test_reading_is_not_stopping(caller: Callable[[str], Client]) -> None:
    assert post(caller("read"), PATHS[0], ENGAGE).status_code == 403
    assert not kill_switch.is_engaged()


def test_nobody_may_do_nothing() -> None:
    assert post(Client(), PATHS[0], ENGAGE).status_code == 401
    assert Client().get(PATHS[0]).status_code == 401
    assert post(Client(), "/halt", {}).status_code == 401


@pytest.mark.parametrize("scope", ["halt", "trade"])
def test_who_may_stop_may_not_release(caller: Callable[[str], Client], scope: str) -> None:
    post(caller("halt"), PATHS[0], ENGAGE)
    assert post(caller(scope), PATHS[0], RELEASE).status_code == 403
    assert kill_switch.is_engaged()


def test_releasing_needs_a_second_factor(caller: Callable[[str], Client], device: TOTPDevice) -> None:
    post(caller("halt"), PATHS[0], ENGAGE)
    answer = post(caller("admin"), PATHS[0], RELEASE)
    assert answer.status_code == 401
    assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]
    assert kill_switch.is_engaged()


def test_releasing_with_a_second_factor(caller: Callable[[str], Client], device: TOTPDevice) -> None:
    post(caller("halt"), PATHS[0], ENGAGE)
    answer = post(caller("admin"), PATHS[0], RELEASE, **{"X-OTP": code_of(device)})
    assert answer.status_code == 200
    document = json.loads(answer.content)
    assert (document["engaged"], document["release_reason"], document["epoch"]) == (False, "mended", 1)
    assert not kill_switch.is_engaged()


def test_a_kill_file_shows_in_the_state(caller: Callable[[str], Client], var: Path) -> None:
    (var / "kill").touch()
    document = caller("read").get(PATHS[0]).json()
    assert (document["engaged"], document["durable"]) == (True, False)


def test_a_halt_answers_a_row_for_each_runtime(caller: Callable[[str], Client]) -> None:
    answer = post(caller("halt"), "/halt", {"reason": "end of day"})
    assert answer.status_code == 200
    rows = json.loads(answer.content)["items"]
    assert [row["runtime"] for row in rows] == ["paper"]
    assert {"count", "milliseconds", "confirmed"} <= set(rows[0])
    assert not kill_switch.is_engaged()


def test_a_halt_needs_no_body(caller: Callable[[str], Client]) -> None:
    assert caller("halt").generic("POST", "/halt").status_code == 200
