from datetime import timedelta

import pytest
from django.utils import timezone

from access import actions
from access.models import ApiToken, AuditEntry
from access.principals import cli_principal
from tests.access.conftest import bearer

pytestmark = pytest.mark.django_db


def test_a_token_opens_the_api(make_token):
    answer = bearer(make_token("read")).get("/read")
    assert (answer.status_code, answer.json()) == (200, {"caller": "token:script"})


def test_the_secret_is_nowhere_in_the_database(make_token):
    secret = make_token()
    stored = [str(value) for row in ApiToken.objects.values_list() for value in row]
    logged = [str(value) for row in AuditEntry.objects.values_list() for value in row]
    assert not any(secret in value for value in stored + logged)
    assert len(secret) >= 43


def test_revoked_tokens_are_refused_at_once(make_token):
    client = bearer(make_token())
    actions.revoke_token(ApiToken.objects.get(), principal=cli_principal())
    answer = client.get("/read")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_expired_tokens_are_refused(make_token):
    client = bearer(make_token(expires_days=1))
    assert client.get("/read").status_code == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get("/read").status_code == 401


@pytest.mark.parametrize("secret", ["", "as_", "nonsense", "a" * 10_000, "ü"])
def test_unknown_tokens_are_refused(secret):
    assert bearer(secret).get("/read").json()["code"] == "invalid_token"


def test_a_token_cannot_do_more_than_its_owner(make_user, make_token):
    owner = make_user("vera", "viewer")
    client = bearer(make_token("admin", owner=owner))
    assert client.get("/read").status_code == 200
    assert client.post("/effects", {"name": "x"}, "application/json").json()["code"] == "insufficient_scope"
    owner.is_active = False
    owner.save()
    assert client.get("/read").status_code == 403


def test_its_last_use_is_noted(token_row, make_token):
    assert token_row.last_used_at is None
    bearer(make_token()).get("/read")
    assert ApiToken.objects.latest("id").last_used_at is not None


def test_a_lifetime_must_be_positive(db):
    with pytest.raises(ValueError, match="positive"):
        actions.create_token("x", "read", principal=cli_principal(), expires_days=0)


def test_making_and_revoking_are_audited(token_row):
    actions.revoke_token(token_row, principal=cli_principal())
    actions.revoke_token(token_row, principal=cli_principal())
    assert list(AuditEntry.objects.order_by("id").values_list("verb", "target")) == [
        ("token.create", f"token:{token_row.pk}"),
        ("token.revoke", f"token:{token_row.pk}"),
    ]
