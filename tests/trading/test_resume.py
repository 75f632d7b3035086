"""Letting a run trade again: by whom, in which state, and how its session hears of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import actions as access_actions
from access.models import AuditEntry
from access.principals import cli_principal
from alphaswarm_site.commands import BadInput
from tests.trading.sessions import new_run
from trading import actions
from trading.engine.errors import InvalidValue
from trading.lease import Lease, LeaseKeeper
from trading.models import Run, RunStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owned() -> tuple[Run, Lease]:
    run, lease = new_run()
    Run.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING)
    return run, lease


@pytest.fixture
def owner() -> User:
    return access_actions.create_operator("operator", "correct horse battery")


@pytest.fixture
def resume(owner: User, owned: tuple[Run, Lease]) -> Callable[..., HttpResponse]:
    def post(scope: str, body: dict[str, str], **headers: str) -> HttpResponse:
        _, secret = access_actions.create_token("script", scope, principal=cli_principal(), owner=owner)
        client = Client(headers={"Authorization": f"Bearer {secret}"})
        path = f"/paper/runs/{owned[0].pk}/resume"
        return client.post(path, json.dumps(body), content_type="application/json", headers=headers)

    return post


def code_of(owner: User) -> str:
    device = TOTPDevice.objects.create(user=owner, name="test", confirmed=True)
    return f"{TOTP(device.bin_key, device.step, device.t0, device.digits).token():06d}"


def test_the_owner_of_a_run_hears_of_it_until_it_has_taken_it(owned: tuple[Run, Lease]) -> None:
    run, lease = owned
    told: list[tuple[int, str]] = []
    twice = threading.Event()

    def hear(resumes: int, reason: str) -> None:
        told.append((resumes, reason))
        if len(told) == 2:
            lease.resumes = resumes
            twice.set()

    lease.on_resume = hear
    keeper = LeaseKeeper()
    keeper.hold(lease)
    actions.resume(run, "looked at the fills", principal=cli_principal())
    assert twice.wait(10)
    keeper.release(lease)
    assert told == [(1, "looked at the fills")] * 2


def test_it_needs_a_reason_and_is_kept_with_who_did_it(owned: tuple[Run, Lease]) -> None:
    run, _ = owned
    with pytest.raises(InvalidValue, match="say why"):
        actions.resume(run, "  ", principal=cli_principal())
    assert Run.objects.get(pk=run.pk).resumes == 0
    actions.resume(run, "looked at the fills", principal=cli_principal())
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.target, entry.detail["reason"]) == ("run.resume", f"run:{run.pk}", "looked at the fills")


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.DRAINING, RunStatus.HALTED])
def test_what_is_not_trading_is_not_resumed(owned: tuple[Run, Lease], status: str) -> None:
    run, _ = owned
    Run.objects.filter(pk=run.pk).update(status=status)
    with pytest.raises(actions.NotTrading, match=status):
        actions.resume(run, "again", principal=cli_principal())
    assert Run.objects.get(pk=run.pk).resumes == 0


def test_a_run_of_a_restored_database_is_not_resumed(owned: tuple[Run, Lease]) -> None:
    run, _ = owned
    Run.objects.filter(pk=run.pk).update(status=RunStatus.INTERRUPTED, reason="restored from file: a drill")
    with pytest.raises(actions.NotTrading, match="start a new one"):
        actions.resume(run, "again", principal=cli_principal())
    assert Run.objects.get(pk=run.pk).status == RunStatus.INTERRUPTED


def test_by_http_it_needs_a_second_factor_and_a_reason(
    resume: Callable[..., HttpResponse], owner: User, owned: tuple[Run, Lease]
) -> None:
    run, _ = owned
    assert resume("halt", {"reason": "again"}).status_code == 403
    assert resume("trade", {"reason": "again"}).status_code == 401
    refused = resume("trade", {}, **{"X-OTP": code_of(owner)})
    assert [error["field"] for error in json.loads(refused.content)["errors"]] == ["reason"]
    assert Run.objects.get(pk=run.pk).resumes == 0
    # A code counts once, so this one is of another device.
    TOTPDevice.objects.all().delete()
    answer = resume("trade", {"reason": "again"}, **{"X-OTP": code_of(owner)})
    assert (answer.status_code, json.loads(answer.content)["id"]) == (200, str(run.pk))
    assert Run.objects.get(pk=run.pk).resume_reason == "again"


def test_the_command_knows_a_run_by_its_task_and_by_its_own_id(owned: tuple[Run, Lease]) -> None:
    run, _ = owned
    for named in (run.task_id, str(run.pk)):
        call_command("paper", "resume", named, reason="a look was taken")
    run.refresh_from_db()
    assert run.resumes == 2
    with pytest.raises(BadInput, match="no run has the task id or the id nobody"):
        call_command("paper", "resume", "nobody", reason="a look was taken")
