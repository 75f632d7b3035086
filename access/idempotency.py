"""One effect per `Idempotency-Key`: a repeated call gets the first one's answer.

The row of a call is committed before its effect and completed after it; whoever comes meanwhile waits at an advisory
lock. A row without an answer whose lock is free was cut off, and nobody can know how far it came: the caller is told.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from access.models import IdempotentCall
from access.principals import Principal, principal_of
from access.problems import Problem, is_page

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT = timedelta(hours=24)
LONGEST_WAIT = "30s"
UNSAFE_METHODS = ("POST", "PUT", "PATCH", "DELETE")
KEPT_HEADERS = ("Content-Type", "Location")
#: Refused before anything happened: the same key may try again.
WITHOUT_EFFECT = {400, 401, 403, 404, 405, 413, 415, 422, 429}

Handler = Callable[[HttpRequest], HttpResponseBase]


def middleware(get_response: Handler) -> Handler:
    def answer(request: HttpRequest) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        if key is None or request.method not in UNSAFE_METHODS or is_page(request):
            return get_response(request)
        principal = principal_of(request)
        if not principal.known:
            return get_response(request)
        try:
            return _once(principal, _checked(key), request, get_response)
        except Problem as problem:
            return problem.response()

    return answer


def _checked(key: str) -> str:
    if not (1 <= len(key) <= 128 and key.isascii() and key.isprintable()):
        raise Problem(400, "idempotency_key_invalid", f"{HEADER} must be 1 to 128 printable ASCII characters")
    return key


def _once(principal: Principal, key: str, request: HttpRequest, get_response: Handler) -> HttpResponseBase:
    digest = _digest(request)
    with _turn(principal, key):
        earlier = _earlier(principal, key)
        if earlier:
            return _replay(earlier, digest)
        call = IdempotentCall.objects.create(caller=principal.id, key=key, request_sha256=digest)
        response = get_response(request)
        _keep(call, response)
        return response


def _digest(request: HttpRequest) -> bytes:
    return hashlib.sha256(
        b"\0".join([(request.method or "").encode(), request.get_full_path().encode(), request.body])
    ).digest()


@contextmanager
def _turn(principal: Principal, key: str) -> Iterator[None]:
    """Hold the key alone. Raises Problem (409) when its holder takes too long."""
    name = hashlib.sha256(f"idempotency\0{principal.id}\0{key}".encode()).digest()
    number = int.from_bytes(name[:8], signed=True)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LONGEST_WAIT])
            cursor.execute("SELECT pg_advisory_lock(%s)", [number])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "55P03":
            raise
        detail = "The first call with this key is still at work; repeat this one later to get its answer."
        raise Problem(409, "idempotency_in_progress", "Still at work", detail, {"Retry-After": "5"}) from error
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


def _earlier(principal: Principal, key: str) -> IdempotentCall | None:
    IdempotentCall.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    return IdempotentCall.objects.filter(caller=principal.id, key=key).first()


def _replay(earlier: IdempotentCall, digest: bytes) -> HttpResponse:
    if bytes(earlier.request_sha256) != digest:
        detail = f"{HEADER} {earlier.key!r} came with another request before; a new request needs a new key."
        raise Problem(422, "idempotency_key_reused", "This key belongs to another request", detail)
    if earlier.status is None:
        detail = "The first call with this key was cut off: look whether it took effect, then use a new key."
        raise Problem(409, "idempotency_outcome_unknown", "The first call was cut off", detail)
    response = HttpResponse(bytes(earlier.body or b""), status=earlier.status, headers=earlier.headers)
    response.headers[REPLAYED] = "true"
    return response


def _keep(call: IdempotentCall, response: HttpResponseBase) -> None:
    if response.status_code in WITHOUT_EFFECT or not isinstance(response, HttpResponse):
        call.delete()
        return
    call.status = response.status_code
    call.headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    call.body = response.content
    call.save(update_fields=["status", "headers", "body"])
