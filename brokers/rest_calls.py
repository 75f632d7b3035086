"""Requests to a venue's REST interface: timeouts, the rate limit, and errors named by the reaction that they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar

import requests
from urllib3.exceptions import NewConnectionError

from brokers.last_word import asking, mount
from brokers.pacing import RateLimit, shared
from brokers.reading import read
from trading.engine.errors import Fatal, Rejected, Transient, Unknown, VenueError

T = TypeVar("T")

#: Seconds to connect and to answer.
TIMEOUT: Final = (3.0, 10.0)

_OK: Final = range(200, 300)


class RestCalls:
    """The calls of one adapter. ``form`` says whether bodies are sent as forms rather than as JSON.

    Questions keep to ``limit``, all that changes something to ``order_limit``, or to the same one. Both are shared by
    the adapters of this process that call the same address with the same ``headers``: ``_door`` is what they share.
    """

    venue: str
    form: ClassVar[bool] = False

    def __init__(
        self, base_url: str, headers: Mapping[str, str], limit: RateLimit, order_limit: RateLimit | None = None
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._door = (self.base_url, frozenset(headers.items()))
        self._session = requests.Session()
        self._session.headers.update(headers)
        mount(self._session)
        self._limit = shared((self._door, "questions"), limit)
        self._order_limit = self._limit if order_limit is None else shared((self._door, "orders"), order_limit)

    def _send(self, method: str, path: str, payload: Mapping[str, Any], let_go: Callable[[], None]) -> Any:
        """A call that sends orders, once ``let_go``, which is asked last, did not raise."""
        with asking(let_go):
            return self._call(method, path, payload)

    def _call(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | None = None,
        pace: Callable[[], None] | None = None,
    ) -> Any:
        """One request; one that changes something and is not sure to have failed is unknown. ``pace`` is called before
        it: by default the limit is waited for."""
        limit = self._limit if method == "GET" else self._order_limit
        (pace or limit.wait)()
        changes = method in ("POST", "PUT", "PATCH")
        body: dict[str, Any] = {} if payload is None else {"data" if self.form else "json": payload}
        try:
            answer = self._session.request(method, self.base_url + path, timeout=TIMEOUT, **body)
        except requests.RequestException as error:
            if _never_left(error):
                raise Transient(f"{self.venue} cannot be reached: {error}") from error
            raise (Unknown if changes else Transient)(f"{self.venue} did not answer: {error}") from error
        limit.hear(answer.headers)
        if answer.status_code not in _OK:
            raise self._error_of(answer, changes)
        if not answer.content:
            return None
        try:
            said = answer.json()
        except ValueError as error:
            wrong = f"{self.venue} gave an answer that cannot be read: {answer.text[:200]!r}"
            raise (Unknown if changes else Transient)(wrong) from error
        refusal = "" if method == "GET" else self._refusal(said)
        if refusal:
            raise Rejected(refusal)
        return said

    def _refusal(self, said: Any) -> str:
        """Why an answer that reads like success is a refusal after all; empty where it is none."""
        return ""

    def _error_of(self, answer: requests.Response, changes: bool) -> VenueError:
        """The error for an answer that is none of success, by the reaction that it needs."""
        status, text = answer.status_code, answer.text[:300].strip()
        said = f"{self.venue} answered {status}: {text}"
        if status in (401, 403) and not self._is_about_an_order(answer):
            return Fatal(f"{said}. {self._credentials_hint()}")
        if status == 429:
            return Transient(said)
        if status >= 500:
            return Unknown(said) if changes else Transient(said)
        return Rejected(said)

    def _is_about_an_order(self, answer: requests.Response) -> bool:
        """Whether an answer that reads like wrong credentials is about the order that was asked for."""
        return False

    def _credentials_hint(self) -> str:
        """Which variables to set."""
        return f"Check the ALPHASWARM_{self.venue.upper()}_ variables, or what the recipe gives."

    def _read(self, parse: Callable[[Any], T], body: Any) -> T:
        return read(self.venue, parse, body)


def _never_left(error: requests.RequestException) -> bool:
    """Whether a request failed before there was a connection for it."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)
