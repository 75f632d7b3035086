"""Who is let in: API calls, pages and sockets."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.request import validate_host
from django.shortcuts import render, resolve_url
from django_htmx.http import HttpResponseClientRedirect
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from access.principals import ANONYMOUS, Principal, is_bearer, of_header, of_user, principal_of
from access.problems import Problem

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class View(Protocol):
    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse: ...


def authenticate(request: HttpRequest, scope: str) -> Principal:
    """The caller of an API request, who may do `scope`. Raises Problem: 401 for nobody, 403 for too little."""
    principal = checked(principal_of(request), scope)
    if principal.kind == "session" and request.method not in SAFE_METHODS:
        _check_csrf(request)
    return principal


def _check_csrf(request: HttpRequest) -> None:
    _ = request.body  # kept from here on: looking for the token in a form would eat it
    if check_csrf(request):
        raise Problem(403, "csrf_failed", "The CSRF token is missing or wrong", "Send the cookie's in X-CSRFToken.")


def checked(principal: Principal, scope: str) -> Principal:
    """The principal, who may do `scope`. Raises Problem: 401 for nobody, 403 for too little."""
    if not principal.known and principal.kind == "token":
        raise Problem(
            401,
            "invalid_token",
            "This token is unknown, revoked or expired",
            "`alphaswarm token create` makes a new one.",
            {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    if not principal.known:
        raise Problem(
            401,
            "not_authenticated",
            "Log in first",
            "Send `Authorization: Bearer TOKEN` (`alphaswarm token create` makes one) or log in at /ui/login/.",
            {"WWW-Authenticate": "Bearer"},
        )
    if not principal.may(scope):
        header = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        detail = f"This needs the scope `{scope}`, which {principal.name} has not."
        raise Problem(403, "insufficient_scope", "You may not do this", detail, header, scope=scope)
    return principal


class _Bearer(HttpBearer):
    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Principal | None:
        return authenticate(request, self.scope) if is_bearer(request.headers.get(self.header, "")) else None

    def authenticate(self, request: HttpRequest, token: str) -> None:
        raise NotImplementedError  # __call__ does it


class _Session(APIKeyCookie):
    def __init__(self, scope: str) -> None:
        self.param_name = settings.SESSION_COOKIE_NAME
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Principal:
        return authenticate(request, self.scope)

    def authenticate(self, request: HttpRequest, key: str | None) -> None:
        raise NotImplementedError  # __call__ does it


def require(scope: str) -> list[Callable[[HttpRequest], Principal | None]]:
    """For django-ninja's `auth=`: a bearer token or the browser's session, either of which may do `scope`."""
    return [_Bearer(scope), _Session(scope)]


def page(scope: str) -> Callable[[View], View]:
    """For a page: nobody is sent to the log-in, and who may not do `scope` reads a sentence that says so."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            principal = principal_of(request)
            if principal.kind != "session" or not principal.known:
                return _to_login(request)
            if not principal.may(scope):
                return render(request, "access/forbidden.html", {"scope": scope}, status=403)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def _to_login(request: HttpRequest) -> HttpResponse:
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(resolve_url(settings.LOGIN_URL))
    return redirect_to_login(request.get_full_path())


async def principal_of_scope(connection: dict[str, Any], scope: str = "read") -> Principal:
    """The caller of a WebSocket (`connection` is its ASGI scope), who may do `scope`.

    A script comes with a bearer token, and its Origin is not asked for; a browser comes with its session cookie and
    an Origin that is exactly this site. Raises Problem: 401 for nobody, 403 for too little or for a foreign Origin.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in connection["headers"]}
    if is_bearer(headers.get("authorization", "")):
        return checked(await sync_to_async(of_header)(headers["authorization"]), scope)
    if not _same_origin(connection, headers):
        raise Problem(403, "foreign_origin", "This page may not connect here", "The Origin is another site's.")
    return checked(await sync_to_async(_of_cookie)(headers.get("cookie", "")), scope)


def _same_origin(connection: dict[str, Any], headers: dict[str, str]) -> bool:
    secure = connection.get("scheme") == "wss"
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        secure = headers.get(name.removeprefix("HTTP_").replace("_", "-").lower()) == value
    host = headers.get("host", "")
    own = f"{'https' if secure else 'http'}://{host}"
    allowed = validate_host(_without_port(own), settings.ALLOWED_HOSTS)
    return allowed and headers.get("origin", "").lower() == own.lower()


def _without_port(origin: str) -> str:
    try:
        name = urlsplit(origin).hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name


def _of_cookie(header: str) -> Principal:
    try:
        cookie = SimpleCookie(header).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ANONYMOUS
    if cookie is None:
        return ANONYMOUS
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(cookie.value)
    return of_user(get_user(request))
