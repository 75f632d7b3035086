import pytest

from tests.access.conftest import bearer

pytestmark = pytest.mark.django_db


def send(client, body: bytes):
    return client.generic("POST", "/effects", body, "application/json")


def test_every_wrong_field_is_named(make_token):
    answer = send(bearer(make_token("trade")), b'{"size": 0}')
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == "invalid"
    assert {error["field"] for error in document["errors"]} == {"name", "size"}
    assert all(error["message"] for error in document["errors"])


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"name": '])
def test_what_is_not_json_is_told_so(make_token, body):
    answer = send(bearer(make_token("trade")), body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_an_unknown_path_is_a_problem(client):
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer["Content-Type"] == "application/problem+json"


def test_a_wrong_method_is_a_problem(client):
    answer = client.delete("/effects")
    assert (answer.status_code, answer.json()["code"], answer["Allow"]) == (405, "method_not_allowed", "POST")


def test_a_failure_leaks_nothing(make_token):
    answer = bearer(make_token(), raise_request_exception=False).post("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"secret" not in answer.content
    assert b"RuntimeError" not in answer.content


def test_a_database_that_is_away_is_told_as_such(make_token):
    answer = bearer(make_token()).post("/away")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "database_unavailable", "1")
    assert b"hunter2" not in answer.content


def test_a_foreign_host_is_a_problem(client):
    answer = client.get("/read", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_page_keeps_its_own_errors(client):
    assert client.get("/ui/nowhere/")["Content-Type"].startswith("text/html")
