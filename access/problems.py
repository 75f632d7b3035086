"""Errors of the API: `application/problem+json` (RFC 9457) with a `code` that stays the same."""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
#: Below these a person looks at pages; everything else is the API.
PAGES = ("/ui/", "/admin/", "/static/")


class Problem(Exception):
    """An error with a sentence for people and a code for programs; `extra` stands beside them in the document."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra

    def document(self) -> dict[str, Any]:
        detail = {"detail": self.detail} if self.detail else {}
        return {"status": self.status, "code": self.code, "title": self.title, **detail, **self.extra}

    def response(self) -> HttpResponse:
        body = json.dumps(self.document(), cls=DjangoJSONEncoder)
        return HttpResponse(body, CONTENT_TYPE, self.status, headers=self.headers)


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """What was sent cannot be used. Each error: `field`, `message` and, where there is a choice, `allowed`."""
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
    return Problem(422, "invalid", "The request is not valid", detail, errors=list(errors))


def of_status(status: int) -> Problem:
    """The problem for a bare HTTP status, without a word about the inside."""
    known = HTTPStatus(status)
    code = {500: "internal_error"}.get(status, known.phrase.lower().replace(" ", "_").replace("-", "_"))
    return Problem(status, code, known.phrase, known.description)


def install(api: NinjaAPI) -> None:
    """Have every error of the API leave as a problem."""
    for kind, problem_of in _PROBLEM_OF.items():
        api.add_exception_handler(kind, _answering(problem_of))


def is_page(request: HttpRequest) -> bool:
    return request.path.startswith(PAGES)


class ProblemMiddleware:
    """Turns what Django itself answers below the API's paths (404, 405, 500 …) into problems too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code < 400 or is_page(request) or response.headers.get("Content-Type") == CONTENT_TYPE:
            return response
        problem = of_status(response.status_code).response()
        if "Allow" in response.headers:
            problem.headers["Allow"] = response.headers["Allow"]
        return problem

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return error.response() if isinstance(error, Problem) else None


def _of_database(error: OperationalError) -> Problem:
    log.error("the database does not answer", exc_info=error)
    detail = "Try again; the command line can engage the kill switch meanwhile."
    return Problem(503, "database_unavailable", "The database does not answer", detail, {"Retry-After": "1"})


def _answering(problem_of: Callable[[Any], Problem]) -> Callable[[HttpRequest, Any], HttpResponse]:
    return lambda request, error: problem_of(error).response()


def _of_http(error: HttpError) -> Problem:
    if error.status_code == 400 and str(error).startswith("Cannot parse request body"):
        return Problem(400, "malformed_json", "The body is not JSON", "Send one JSON document.")
    return of_status(error.status_code)


def _of_validation(error: ValidationError) -> Problem:
    return invalid([_field_error(entry) for entry in error.errors])


def _field_error(entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"field": _field(entry["loc"]), "message": _message(entry)}
    expected = str(entry.get("ctx", {}).get("expected", ""))
    if entry["type"] in ("literal_error", "enum"):
        found["allowed"] = re.findall(r"'([^']*)'", expected)
    return found


def _field(location: Sequence[str | int]) -> str:
    """`("body", "payload", "session", "max_bars")` is `session.max_bars`: the function's argument is ours alone."""
    inner = location[2:] if location[0] in ("body", "form") and len(location) > 2 else location[1:]
    return ".".join(str(part) for part in inner) or str(location[0])


def _message(entry: Mapping[str, Any]) -> str:
    return str(entry["msg"]).removeprefix("Value error, ")


_PROBLEM_OF: dict[type[Exception], Callable[[Any], Problem]] = {
    Problem: lambda error: error,
    ValidationError: _of_validation,
    HttpError: _of_http,
    Http404: lambda error: of_status(404),
    OperationalError: _of_database,
}
