import time

import pytest
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import second_factor
from access.models import AuditEntry
from tests.access.conftest import PASSWORD, bearer, logged_in

pytestmark = pytest.mark.django_db


def code_of(device: TOTPDevice, step: int = 0) -> str:
    """The code that an authenticator shows now, or `step` half-minutes from now."""
    return f"{totp(device.bin_key, drift=step):06d}"


@pytest.fixture
def device(operator) -> TOTPDevice:
    return TOTPDevice.objects.create(user=operator, name="phone", confirmed=True)


@pytest.fixture
def browser(operator) -> Client:
    return logged_in(operator)


def test_a_dangerous_call_asks_for_a_new_code(browser, device):
    answer = browser.post("/danger")
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
    challenge = answer["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="insufficient_user_authentication", acr_values=')
    assert challenge.endswith("max_age=300")


def test_a_verified_session_may(browser, device):
    browser.post("/ui/account/second-factor/verify/", {"code": code_of(device)})
    assert browser.post("/danger").status_code == 200


def test_five_minutes_later_it_may_not(browser, device, monkeypatch):
    browser.post("/ui/account/second-factor/verify/", {"code": code_of(device)})
    later = time.time() + second_factor.MAX_AGE_SECONDS
    monkeypatch.setattr(second_factor.time, "time", lambda: later)
    assert browser.post("/danger").status_code == 401


def test_a_clock_that_was_set_back_helps_nobody(browser, device, monkeypatch):
    browser.post("/ui/account/second-factor/verify/", {"code": code_of(device)})
    earlier = time.time() - 60
    monkeypatch.setattr(second_factor.time, "time", lambda: earlier)
    assert browser.post("/danger").status_code == 401


def test_a_new_log_in_is_not_verified(browser, device, operator):
    browser.post("/ui/account/second-factor/verify/", {"code": code_of(device)})
    browser.logout()
    browser.force_login(operator)
    assert browser.post("/danger").status_code == 401


def test_a_token_carries_a_code_of_its_owner(make_token, operator, device):
    client = bearer(make_token("admin", owner=operator))
    assert client.post("/danger").status_code == 401
    assert client.post("/danger", headers={"X-OTP": code_of(device)}).status_code == 200
    assert client.post("/danger").status_code == 401


def test_a_code_counts_once(make_token, operator, device):
    client = bearer(make_token("admin", owner=operator))
    code = code_of(device)
    answers = [client.post("/danger", headers={"X-OTP": code}).status_code for _ in range(2)]
    assert answers == [200, 401]


def test_a_token_without_an_owner_is_told_so(make_token):
    answer = bearer(make_token("admin")).post("/danger", headers={"X-OTP": "123456"})
    assert "owner" in answer.json()["detail"]


def test_who_has_no_device_is_told_where_to_enrol(browser):
    assert "/ui/account/" in browser.post("/danger").json()["detail"]


def test_guessing_is_slowed_down(browser, device):
    wrong = f"{(int(code_of(device)) + 1) % 1_000_000:06d}"
    browser.post("/danger", headers={"X-OTP": wrong})
    assert browser.post("/danger", headers={"X-OTP": code_of(device)}).status_code == 401


@pytest.mark.parametrize("code", ["", "abc", "12 34 5x", "9" * 12, "٣٤٥٦٧٨"])
def test_what_is_no_code_is_refused(browser, device, code):
    assert browser.post("/ui/account/second-factor/verify/", {"code": code}).status_code == 422


def test_enrolling_shows_the_secret_until_its_first_code(browser, operator):
    browser.post("/ui/account/second-factor/begin/")
    waiting = TOTPDevice.objects.get(user=operator)
    shown = browser.get("/ui/account/").content.decode()
    assert second_factor.secret_of(waiting) in shown
    assert 'src="data:image/svg+xml' in shown
    form = {"code": code_of(waiting), "password": PASSWORD}
    assert browser.post("/ui/account/second-factor/confirm/", form).status_code == 302
    assert second_factor.secret_of(waiting) not in browser.get("/ui/account/").content.decode()
    assert browser.post("/danger").status_code == 200
    assert AuditEntry.objects.filter(verb="second_factor.enrol").count() == 1


def test_enrolling_asks_for_the_password(browser, operator):
    browser.post("/ui/account/second-factor/begin/")
    waiting = TOTPDevice.objects.get(user=operator)
    form = {"code": code_of(waiting), "password": "wrong"}
    assert browser.post("/ui/account/second-factor/confirm/", form).status_code == 422
    assert second_factor.device_of(operator) is None


def test_a_device_is_replaced_only_with_the_one_before(browser, operator, device):
    browser.post("/ui/account/second-factor/begin/")
    assert TOTPDevice.objects.get(user=operator) == device
    browser.post("/ui/account/second-factor/verify/", {"code": code_of(device)})
    browser.post("/ui/account/second-factor/begin/")
    waiting = TOTPDevice.objects.get(user=operator, confirmed=False)
    browser.post("/ui/account/second-factor/confirm/", {"code": code_of(waiting), "password": PASSWORD})
    assert second_factor.device_of(operator) == waiting
