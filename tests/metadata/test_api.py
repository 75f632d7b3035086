import pytest
from django.test import Client

from access import actions
from access.models import AuditEntry
from access.principals import cli_principal
from metadata.baseline_aspects import MODELS, PIPELINES

pytestmark = pytest.mark.django_db

MODEL = MODELS["alpaca_mean_reversion_v1"]
PIPELINE = PIPELINES["alpaca_mean_reversion_loop"]


def caller(scope: str) -> Client:
    _, secret = actions.create_token("script", scope, principal=cli_principal())
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_what_is_known_about_a_urn():
    answer = caller("read").get(f"/metadata/aspects/{MODEL}")
    assert answer.status_code == 200
    aspect = answer.json()["items"][0]
    assert (aspect["version"], aspect["payload"]["status"]) == (1, "Production")


def test_a_written_aspect_is_the_latest():
    client = caller("trade")
    body = {"urn": MODEL, "name": "model", "payload": {"status": "Archived"}}
    written = client.post("/metadata/aspects", body, "application/json")
    assert (written.status_code, written.json()["version"], written.json()["created_by"]) == (201, 2, "token:script")
    assert client.get(f"/metadata/aspects/{MODEL}").json()["items"][0]["version"] == 2
    history = client.get(f"/metadata/aspects/{MODEL}?name=model").json()["items"]
    assert [aspect["version"] for aspect in history] == [2, 1]
    assert AuditEntry.objects.filter(actor="token:script", verb="aspect.write", target=MODEL).exists()


def test_reading_is_not_writing():
    body = {"urn": MODEL, "name": "model", "payload": {}}
    assert caller("read").post("/metadata/aspects", body, "application/json").status_code == 403


@pytest.mark.parametrize(
    ("urn", "status", "code"),
    [
        ("nonsense", 422, "invalid"),
        (f"{MODEL}?name=%00", 422, "invalid"),
        ("urn:alphaswarm:mlmodel:prod:unknown", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_told(urn, status, code):
    answer = caller("read").get(f"/metadata/aspects/{urn}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"urn": "x"}, "urn"),
        ({"name": "a b"}, "name"),
        ({"payload": [1]}, "payload"),
        ({"payload": {"x": "\0"}}, "payload"),
    ],
)
def test_a_wrong_aspect_names_its_field(change, field):
    body = {"urn": MODEL, "name": "model", "payload": {}} | change
    answer = caller("trade").post("/metadata/aspects", body, "application/json")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_the_gate_answers():
    client = caller("read")
    good = client.post("/metadata/gate/check", {"model_urn": MODEL, "pipeline_urn": PIPELINE}, "application/json")
    assert good.json() == {"allowed": True, "reasons": []}
    bad = client.post("/metadata/gate/check", {"model_urn": "x", "bot_sharpes": []}, "application/json")
    assert [reason["code"] for reason in bad.json()["reasons"]] == [
        "model_urn_malformed",
        "pipeline_urn_missing",
        "bot_backtest_missing",
    ]
