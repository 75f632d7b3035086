"""The kill control of the pages, with and without HTMX."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import actions as access_actions
from access.principals import Principal
from risk import kill_switch
from risk.gate import OrderGate
from risk.queries import key_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var", "no_gatekeeper")]

HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner() -> User:
    return access_actions.create_operator("operator", "correct horse battery")


@pytest.fixture
def client(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def test_the_control_offers_the_kill_while_released(client: Client) -> None:
    page = client.get(reverse("ui:kill"), headers=HTMX).content.decode()
    assert "Engage now" in page
    assert "kill--engaged" not in page


def test_released_it_tells_the_epoch_and_since_when(client: Client, operator: Principal) -> None:
    assert 'released<span class="kill__since"></span>' in client.get(reverse("ui:kill"), headers=HTMX).content.decode()
    kill_switch.engage("a drill", operator)
    kill_switch.release("over", operator)
    page = client.get(reverse("ui:kill"), headers=HTMX).content.decode()
    assert 'released<span class="kill__since">, epoch 1, <time' in page
    assert f'data-since="{kill_switch.state().released_at:%Y-%m-%dT%H:%M:%S}' in page


def test_a_gate_without_news_is_shown(client: Client) -> None:
    assert "kill--stale" in client.get(reverse("ui:kill"), headers=HTMX).content.decode()


def test_pressing_it_engages_and_shows_what_was_measured(client: Client) -> None:
    page = client.post(reverse("ui:kill_engage"), {"reason": "a bad fill"}, headers=HTMX).content.decode()
    assert "kill--engaged" in page
    assert "a bad fill" in page
    assert "Gate closed" in page
    assert kill_switch.is_engaged()


def test_it_works_without_scripts(client: Client) -> None:
    page = client.post(reverse("ui:kill_engage"), {"reason": "a bad fill"}, follow=True)
    assert page.redirect_chain == [(reverse("ui:kill"), 302)]
    assert "Engaged, epoch 1: a bad fill" in page.content.decode()


def test_without_a_reason_it_asks_again(client: Client) -> None:
    page = client.post(reverse("ui:kill_engage"), {"reason": " "}, headers=HTMX)
    assert page.status_code == 422
    assert not kill_switch.is_engaged()


def test_the_reason_is_shown_as_text(client: Client) -> None:
    page = client.post(reverse("ui:kill_engage"), {"reason": "<script>x</script>"}, headers=HTMX).content.decode()
    assert "<script>" not in page


def test_a_page_that_knows_the_state_is_left_alone(client: Client, gate: OrderGate) -> None:
    seen = key_of(gate.read())
    assert client.get(reverse("ui:kill"), {"seen": seen}, headers=HTMX).status_code == 204
    assert client.get(reverse("ui:kill"), {"seen": "0-open"}, headers=HTMX).status_code == 200


def test_release_asks_for_reason_and_code(client: Client, owner: User, operator: Principal) -> None:
    device = TOTPDevice.objects.create(user=owner, name="test", confirmed=True)
    kill_switch.engage("a bad fill", operator)
    assert "One-time code" in client.get(reverse("ui:kill_release")).content.decode()
    assert client.post(reverse("ui:kill_release"), {"reason": "mended"}).status_code == 422
    assert kill_switch.is_engaged()
    device.throttle_reset()
    code = f"{TOTP(device.bin_key, device.step, device.t0, device.digits).token():06d}"
    done = client.post(reverse("ui:kill_release"), {"reason": "mended", "code": code})
    assert (done.status_code, done.headers["Location"]) == (302, reverse("ui:kill"))
    assert not kill_switch.is_engaged()


def test_release_needs_a_reason(client: Client, owner: User, operator: Principal) -> None:
    device = TOTPDevice.objects.create(user=owner, name="test", confirmed=True)
    kill_switch.engage("a bad fill", operator)
    code = f"{TOTP(device.bin_key, device.step, device.t0, device.digits).token():06d}"
    assert client.post(reverse("ui:kill_release"), {"reason": "", "code": code}).status_code == 422
    assert kill_switch.is_engaged()


def test_without_a_device_release_says_where_to_get_one(client: Client, operator: Principal) -> None:
    kill_switch.engage("a bad fill", operator)
    assert reverse("access:account") in client.get(reverse("ui:kill_release")).content.decode()
    assert client.post(reverse("ui:kill_release"), {"reason": "mended"}).status_code == 422
    assert kill_switch.is_engaged()


@pytest.mark.parametrize(
    ("role", "engages", "sees_release"), [("viewer", 403, 403), ("operator", 302, 403), ("admin", 302, 200)]
)
def test_who_may_do_what(role: str, engages: int, sees_release: int) -> None:
    user = User.objects.create_user(role, password="correct horse battery")
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    assert client.post(reverse("ui:kill_engage"), {"reason": "drill"}).status_code == engages
    assert client.get(reverse("ui:kill_release")).status_code == sees_release


def test_nobody_is_sent_to_the_login() -> None:
    for name in ("ui:kill", "ui:kill_release"):
        assert Client().get(reverse(name)).headers["Location"].startswith("/ui/login/")
