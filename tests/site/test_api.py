import pytest

from access import actions
from access.principals import cli_principal
from alphaswarm_site.api import api
from alphaswarm_site.middleware import CONTENT_SECURITY_POLICY

pytestmark = pytest.mark.django_db

PUBLISHED = """
POST /paper/start
POST /paper/stop/{}
POST /paper/stop-all
GET /paper/runs
GET /paper/runs/{}
GET /paper/runs/{}/orders
GET /paper/runs/{}/fills
GET /paper/runs/{}/equity
GET /paper/runs/{}/frames
GET /portfolio
GET /portfolio/kill_switch
POST /portfolio/kill_switch
GET /bots
POST /bots
GET /bots/{}
POST /bots/{}/paper
POST /bots/{}/backtest
POST /backtests
GET /backtests/{}
POST /halt
POST /kill-switch
POST /bots/halt-all
GET /metadata/aspects/{}
POST /metadata/aspects
POST /metadata/gate/check
GET /healthz
GET /readyz
GET /metrics
"""
OPEN = {"/healthz", "/readyz", "/metrics"}
#: Asked by POST, and yet they change nothing.
QUESTIONS = {"/metadata/gate/check", "/paper/runs/{run_id}/replay", "/paper/runs/{run_id}/parity"}


def operations() -> dict[tuple[str, str], dict]:
    paths = api.get_openapi_schema()["paths"]
    return {(method.upper(), path): found for path, methods in paths.items() for method, found in methods.items()}


def without_names(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize("line", PUBLISHED.split("\n")[1:-1])
def test_a_published_call_is_there(line):
    assert line in {f"{method} {without_names(path)}" for method, path in operations()}


def test_every_other_call_needs_somebody():
    unguarded = {path for (_, path), found in operations().items() if not found.get("security")}
    assert unguarded == OPEN


def test_every_call_has_a_name_of_its_own():
    names = [found["operationId"] for found in operations().values()]
    assert len(names) == len(set(names))


def test_nobody_gets_past_the_door(client):
    for method, path in operations():
        if path in OPEN:
            continue
        answer = client.generic(method, path.replace("{", "").replace("}", ""), b"{}", "application/json")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), (method, path)


def test_reading_changes_nothing(client):
    _, secret = actions.create_token("script", "read", principal=cli_principal())
    headers = {"Authorization": f"Bearer {secret}"}
    for method, path in operations():
        if method == "GET" or path in QUESTIONS:
            continue
        answer = client.generic(
            method, path.replace("{", "").replace("}", ""), b"{}", "application/json", headers=headers
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope"), (method, path)


def test_the_description_is_open(client):
    assert client.get("/api/openapi.json").json()["info"]["title"] == "AlphaSwarm"
    assert client.get("/api/docs").status_code == 200


def test_the_description_needs_nothing_from_elsewhere(client):
    page = client.get("/api/docs")
    assert "https://" not in page.content.decode()
    assert page["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("path", ["/", "/portfolio/"])
def test_the_front_door_leads_to_the_portfolio(client, path):
    assert client.get(path)["Location"] == "/ui/portfolio/"


def test_the_admin_shares_the_one_log_in(client):
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/ui/login/?next=")
