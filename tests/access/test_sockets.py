import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from access.auth import principal_of_scope
from access.problems import Problem
from tests.access.conftest import logged_in

pytestmark = pytest.mark.django_db(transaction=True)

HOST = "localhost:8000"


@pytest.fixture(autouse=True)
async def no_connection_left():
    yield
    await sync_to_async(connections.close_all)()


def connection(scheme: str = "ws", **headers: str) -> dict:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "type": "websocket",
        "scheme": scheme,
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }


@pytest.fixture
def cookie(operator) -> str:
    return f"sessionid={logged_in(operator).cookies['sessionid'].value}"


async def refused(scope: dict, need: str = "read") -> tuple[int, str]:
    with pytest.raises(Problem) as error:
        await principal_of_scope(scope, need)
    return error.value.status, error.value.code


async def test_a_script_needs_no_origin(make_token):
    secret = await sync_to_async(make_token)("read")
    principal = await principal_of_scope(connection(host=HOST, authorization=f"Bearer {secret}"))
    assert str(principal) == "token:script"


async def test_a_script_with_a_wrong_token_is_refused_even_with_a_cookie(cookie):
    scope = connection(host=HOST, origin=f"http://{HOST}", cookie=cookie, authorization="Bearer as_wrong")
    assert await refused(scope) == (401, "invalid_token")


async def test_a_browser_comes_with_its_cookie_and_the_exact_origin(cookie):
    scope = connection(host=HOST, origin=f"http://{HOST}", cookie=cookie)
    assert str(await principal_of_scope(scope, "admin")) == "session:operator"


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "http://localhost",
        "http://localhost:8001",
        f"https://{HOST}",
        f"http://{HOST}.evil.example",
        "http://[",
        f"http://{HOST}/",
    ],
)
async def test_another_origin_is_refused(cookie, origin):
    assert await refused(connection(host=HOST, origin=origin, cookie=cookie)) == (403, "foreign_origin")


async def test_no_origin_is_refused(cookie):
    assert await refused(connection(host=HOST, cookie=cookie)) == (403, "foreign_origin")


async def test_a_host_that_is_not_ours_is_refused(cookie):
    scope = connection(host="evil.example", origin="http://evil.example", cookie=cookie)
    assert await refused(scope) == (403, "foreign_origin")


async def test_behind_tls_the_origin_is_https(cookie):
    assert await principal_of_scope(connection("wss", host=HOST, origin=f"https://{HOST}", cookie=cookie))


async def test_a_tls_proxy_says_the_scheme(cookie, settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    scope = connection(host=HOST, origin=f"https://{HOST}", cookie=cookie, x_forwarded_proto="https")
    assert await principal_of_scope(scope)


@pytest.mark.parametrize("text", ["", "sessionid=unknown", "other=1", 'sessionid="\x01', ";;;"])
async def test_nobody_is_refused(db, text):
    scope = connection(host=HOST, origin=f"http://{HOST}", cookie=text)
    assert await refused(scope) == (401, "not_authenticated")


async def test_too_little_is_refused(make_token):
    secret = await sync_to_async(make_token)("read")
    assert await refused(connection(authorization=f"Bearer {secret}"), "trade") == (403, "insufficient_scope")


async def test_a_session_that_logged_out_is_refused(operator):
    client = await sync_to_async(logged_in)(operator)
    scope = connection(host=HOST, origin=f"http://{HOST}", cookie=f"sessionid={client.cookies['sessionid'].value}")
    assert await principal_of_scope(scope)
    await sync_to_async(client.logout)()
    assert await refused(scope) == (401, "not_authenticated")
