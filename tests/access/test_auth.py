import pytest

from access import scopes
from tests.access.conftest import bearer, logged_in

pytestmark = pytest.mark.django_db

EFFECT = {"name": "one"}


@pytest.mark.parametrize(
    ("scope", "included"),
    [
        ("read", {"read"}),
        ("halt", {"halt"}),
        ("trade", {"trade", "read", "halt"}),
        ("admin", {"admin", "trade", "read", "halt"}),
    ],
)
def test_scopes_include(scope, included):
    assert scopes.granted(scope) == included


def test_nobody_is_asked_to_log_in(client):
    answer = client.get("/read")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("role", "reads", "trades"), [("viewer", 200, 403), ("operator", 200, 201), ("admin", 200, 201)]
)
def test_roles_are_groups(make_user, role, reads, trades):
    client = logged_in(make_user("olga", role))
    assert client.get("/read").status_code == reads
    assert client.post("/effects", EFFECT, "application/json").status_code == trades


def test_a_user_without_a_role_may_do_nothing(make_user):
    answer = logged_in(make_user()).get("/read")
    assert (answer.status_code, answer.json()["scope"]) == (403, "read")


def test_the_first_account_may_do_everything(operator):
    assert logged_in(operator).post("/effects", EFFECT, "application/json").status_code == 201


def test_a_deactivated_user_is_out_at_once(operator):
    client = logged_in(operator)
    operator.is_active = False
    operator.save()
    assert client.get("/read").status_code == 401


def test_a_session_needs_the_csrf_token_for_unsafe_calls(operator):
    client = logged_in(operator, enforce_csrf_checks=True)
    assert client.get("/read").status_code == 200
    refused = client.post("/effects", EFFECT, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    client.get("/ui/account/")
    token = client.cookies["csrftoken"].value
    answer = client.post("/effects", EFFECT, "application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"],
)
def test_a_token_needs_no_csrf_token_and_no_content_type(make_token, content_type):
    client = bearer(make_token("trade"), enforce_csrf_checks=True)
    assert client.generic("POST", "/effects", b'{"name": "one"}', content_type).status_code == 201


def test_a_session_may_send_any_content_type_too(operator):
    client = logged_in(operator)
    for content_type in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert client.generic("POST", "/effects", b'{"name": "one"}', content_type).status_code == 201


def test_a_token_counts_more_than_a_session(operator, make_token):
    client = logged_in(operator)
    answer = client.get("/read", headers={"Authorization": f"bearer {make_token()}"})
    assert answer.json() == {"caller": "token:script"}


def test_another_scheme_of_a_proxy_leaves_the_session_alone(operator):
    answer = logged_in(operator).get("/read", headers={"Authorization": "Basic b2xnYTpwYXNz"})
    assert answer.json() == {"caller": "session:operator"}


def test_a_page_sends_nobody_to_the_log_in(client):
    answer = client.get("/ui/trading/?a=1")
    assert (answer.status_code, answer["Location"]) == (302, "/ui/login/?next=/ui/trading/%3Fa%3D1")


def test_a_fragment_of_a_page_leads_the_whole_page_to_the_log_in(client):
    answer = client.get("/ui/trading/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/ui/login/"


def test_a_page_says_what_is_not_allowed(make_user):
    answer = logged_in(make_user("vera", "viewer")).get("/ui/trading/")
    assert answer.status_code == 403
    assert "trade" in answer.content.decode()


def test_a_token_opens_no_page(make_token):
    assert bearer(make_token("admin")).get("/ui/trading/").status_code == 302
