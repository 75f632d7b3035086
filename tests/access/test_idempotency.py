import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from access import idempotency
from access.models import AuditEntry, IdempotentCall
from alphaswarm_site.stack.waiting import wait_until
from tests.access import urls
from tests.access.conftest import bearer, logged_in

pytestmark = pytest.mark.django_db


def post(client, key="k", name="one", path="/effects"):
    return client.post(path, {"name": name}, "application/json", headers={"Idempotency-Key": key})


def effects() -> int:
    return AuditEntry.objects.filter(verb="effect").count()


def test_a_repeated_call_gets_the_first_answer(make_token):
    client = bearer(make_token("trade"))
    first, second = post(client), post(client)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert (first.headers.get("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (None, "true")
    assert second["Content-Type"] == first["Content-Type"]
    assert effects() == 1


def test_another_key_is_another_call(make_token):
    client = bearer(make_token("trade"))
    post(client, "a")
    post(client, "b")
    assert effects() == 2


def test_a_key_belongs_to_its_caller(make_token, operator):
    post(bearer(make_token("trade")))
    post(bearer(make_token("trade")))
    post(logged_in(operator))
    assert effects() == 3


def test_a_key_belongs_to_its_request(make_token):
    client = bearer(make_token("admin"))
    post(client)
    for again in (post(client, name="two"), post(client, path="/effects?x=1"), post(client, path="/danger")):
        assert (again.status_code, again.json()["code"]) == (422, "idempotency_key_reused")
    assert effects() == 1


@pytest.mark.parametrize("key", ["", "x" * 129, "tab\there", "ünicode"])
def test_a_key_is_short_and_printable(make_token, key):
    answer = post(bearer(make_token("trade")), key)
    assert (answer.status_code, answer.json()["code"], effects()) == (400, "idempotency_key_invalid", 0)


def test_a_refused_call_may_be_mended_under_the_same_key(make_token):
    client = bearer(make_token("trade"))
    headers = {"Idempotency-Key": "k"}
    assert client.post("/effects", {}, "application/json", headers=headers).status_code == 422
    assert post(client).status_code == 201


def test_a_failed_call_is_not_repeated(make_token):
    client = bearer(make_token("trade"), raise_request_exception=False)
    assert [post(client, path="/broken").status_code for _ in range(2)] == [500, 500]
    assert effects() == 1


def test_a_call_that_was_cut_off_says_so(make_token):
    client = bearer(make_token("trade"))
    post(client)
    IdempotentCall.objects.update(status=None, body=None)
    answer = post(client)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_outcome_unknown")


def test_a_key_is_forgotten_after_a_day(make_token):
    client = bearer(make_token("trade"))
    post(client)
    IdempotentCall.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert post(client).status_code == 201
    assert (effects(), IdempotentCall.objects.count()) == (2, 1)


def test_strangers_leave_no_rows(client):
    assert post(client).status_code == 401
    assert IdempotentCall.objects.count() == 0


def at_once(count: int, call) -> list:
    """Call from that many threads, all let go together; each has a database connection of its own."""
    together = threading.Barrier(count)

    def one(number: int):
        together.wait()
        try:
            return call(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_have_one_effect(make_token):
    secret = make_token("trade")
    answers = at_once(50, lambda number: post(bearer(secret)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert effects() == 1


@pytest.mark.django_db(transaction=True)
def test_a_duplicate_waits_for_the_answer(make_token):
    secret = make_token("trade")
    urls.may_end.clear()
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(post_and_close, secret) for _ in range(2)]
        assert wait_until(somebody_waits, 10)
        assert not any(call.done() for call in calls)
        urls.may_end.set()
        assert len({call.result().content for call in calls}) == 1
    assert effects() == 1


@pytest.mark.django_db(transaction=True)
def test_a_duplicate_does_not_wait_forever(make_token, monkeypatch):
    monkeypatch.setattr(idempotency, "LONGEST_WAIT", "50ms")
    secret = make_token("trade")
    urls.may_end.clear()
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(post_and_close, secret) for _ in range(2)]
        wait(calls, timeout=10, return_when=FIRST_COMPLETED)
        urls.may_end.set()
        assert sorted(call.result().status_code for call in calls) == [201, 409]
    assert effects() == 1


def post_and_close(secret: str):
    try:
        return post(bearer(secret))
    finally:
        connections.close_all()


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0] > 0
