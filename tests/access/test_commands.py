import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from access.models import ApiToken
from access.principals import cli_principal
from access.second_factor import device_of
from tests.access.conftest import bearer

pytestmark = pytest.mark.django_db


@pytest.fixture
def answered(capsys, monkeypatch):
    """Run a command on the servers of the tests; its JSON document."""
    monkeypatch.setattr("alphaswarm_site.commands.ProductCommand.needs_servers", False)

    def run(*arguments: str, **options: object):
        call_command(*arguments, json=True, **options)
        return json.loads(capsys.readouterr().out)

    return run


def test_a_made_token_works(answered):
    secret = answered("token", "create", "--name", "bench", "--scope", "trade")["token"]
    assert bearer(secret).get("/read").json() == {"caller": "token:bench"}


def test_its_owner_is_the_first_operator(answered, make_user, operator):
    answered("token", "create", "--name", "bench", "--scope", "trade")
    assert ApiToken.objects.get().owner == operator


def test_its_owner_can_be_named(answered, make_user, operator):
    make_user("vera", "viewer")
    answered("token", "create", "--name", "bench", "--scope", "read", "--owner", "vera", "--expires-days", "7")
    token = ApiToken.objects.get()
    assert (token.owner.username, token.expires_at is not None) == ("vera", True)


def test_the_list_tells_no_secret(answered):
    secret = answered("token", "create", "--name", "bench", "--scope", "trade")["token"]
    document = answered("token", "list")
    assert document["items"][0]["name"] == "bench"
    assert document["next"] is None
    assert secret not in json.dumps(document)


def test_a_token_is_revoked_by_its_name(answered):
    secret = answered("token", "create", "--name", "bench", "--scope", "trade")["token"]
    assert answered("token", "revoke", "bench")["revoked_at"]
    assert bearer(secret).get("/read").status_code == 401


def test_a_name_that_two_tokens_have_is_not_enough(answered):
    for _ in range(2):
        answered("token", "create", "--name", "bench", "--scope", "trade")
    with pytest.raises(CommandError, match="2 tokens"):
        answered("token", "revoke", "bench")


@pytest.mark.parametrize("wrong", [["--owner", "nobody"], ["--expires-days", "0"]])
def test_bad_input_is_told(answered, wrong):
    with pytest.raises(CommandError):
        answered("token", "create", "--name", "bench", "--scope", "trade", *wrong)


def test_a_lost_device_is_forgotten(answered, operator):
    operator.totpdevice_set.create(name="phone", confirmed=True)
    answered("second_factor", "reset", "operator")
    assert device_of(operator) is None


def test_the_command_line_may_do_everything():
    assert cli_principal().scopes == {"read", "halt", "trade", "admin"}
