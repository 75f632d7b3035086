"""How pages look in a browser, keys for scripts, and what the environment sets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from access import audit, tokens
from access.models import ApiToken, AuditEntry
from access.principals import cli_principal
from alphaswarm_site.rooms.installed import VARIABLES
from tests.pages.builders import buys, session

pytestmark = pytest.mark.django_db

URL = "/ui/settings/"
NEW = f"{URL}tokens/new/"
NEW_YORK = {"theme": "dark", "density": "compact", "zone": "America/New_York", "own": ""}


def code_of(username: str) -> str:
    """The code that a new device of the user shows now."""
    device = TOTPDevice.objects.create(user=User.objects.get(username=username), name="phone", confirmed=True)
    return f"{totp(device.bin_key):06d}"


def test_theme_and_density_are_in_the_page_itself(viewer: Client) -> None:
    assert viewer.post(URL, NEW_YORK).status_code == 302
    page = viewer.get("/ui/portfolio/").content.decode()
    assert 'data-theme="dark" data-density="compact"' in page


def test_times_are_written_in_the_chosen_zone_and_name_it(operator: Client) -> None:
    buys(session(began=datetime(2026, 1, 2, 15, tzinfo=UTC)))
    assert '15:00 <abbr class="zone">UTC' in operator.get("/ui/ledger/").content.decode()
    operator.post(URL, NEW_YORK)
    assert '10:00 <abbr class="zone">EST' in operator.get("/ui/ledger/").content.decode()
    operator.post(URL, {**NEW_YORK, "zone": "own", "own": "Asia/Kolkata"})
    assert '20:30 <abbr class="zone">IST' in operator.get("/ui/ledger/").content.decode()


def test_what_programs_read_stays_in_utc(operator: Client) -> None:
    audit.record(cli_principal(), "run.stop", "run:1")
    operator.post(URL, NEW_YORK)
    assert "+00:00" not in operator.get("/ui/audit/download/").content.decode()
    assert "-05:00" not in operator.get("/ui/audit/download/").content.decode()


def test_a_zone_that_there_is_not_is_named_and_changes_nothing(viewer: Client) -> None:
    answer = viewer.post(URL, {**NEW_YORK, "zone": "own", "own": "Mars/Olympus"})
    assert (answer.status_code, "This is no time zone" in answer.content.decode()) == (422, True)
    assert "theme" not in answer.cookies


@pytest.mark.parametrize("cookie", ["zone", "theme", "density"])
def test_a_cookie_that_makes_no_sense_is_as_if_not_there(viewer: Client, cookie: str) -> None:
    viewer.cookies[cookie] = "../../etc/passwd"
    answer = viewer.get(URL)
    assert (answer.status_code, "passwd" in answer.content.decode()) == (200, False)


def test_no_secret_of_the_environment_is_shown(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in VARIABLES:
        if one.secret:
            monkeypatch.setenv(one.name, f"hush-{one.name}")
    monkeypatch.setenv("ALPHASWARM_DRILL_HOURS", "17")
    page = operator.get(URL).content.decode()
    assert "hush-" not in page
    assert "<code>17</code>" in page


def test_who_may_not_administer_does_not_see_the_environment(viewer: Client) -> None:
    assert viewer.get(URL).context["variables"] is None


def test_a_token_is_shown_once_and_works(operator: Client) -> None:
    form = {"name": "nightly", "scope": "read", "expires_days": "30", "code": code_of("operator")}
    secret = operator.post(NEW, form).context["secret"]
    token = tokens.find(secret)
    assert token is not None
    assert (token.name, token.scope, token.owner) == ("nightly", "read", User.objects.get(username="operator"))
    assert secret not in operator.get(URL).content.decode()
    assert operator.post(f"{URL}tokens/{token.pk}/revoke/", {"sure": "yes"}).status_code == 302
    assert tokens.find(secret) is None
    assert {"token.create", "token.revoke"} <= set(AuditEntry.objects.values_list("verb", flat=True))


def test_without_a_code_no_token_is_made(operator: Client) -> None:
    form = {"name": "nightly", "scope": "read", "expires_days": "30", "code": "000000"}
    assert "you have none yet" in operator.post(NEW, form).content.decode()
    code_of("operator")
    assert operator.post(NEW, {**form, "code": ""}).status_code == 422
    assert not ApiToken.objects.exists()


def test_nobody_makes_a_token_that_may_more_than_they(viewer: Client) -> None:
    form = {"name": "nightly", "scope": "trade", "expires_days": "30", "code": code_of("viewer")}
    assert viewer.post(NEW, form).status_code == 422
    assert not ApiToken.objects.exists()


def test_nobody_revokes_the_token_of_another(viewer: Client) -> None:
    token = ApiToken.objects.create(name="nightly", scope="read", sha256="0" * 64)
    assert viewer.post(f"{URL}tokens/{token.pk}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None
