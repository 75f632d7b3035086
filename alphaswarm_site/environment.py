"""Strict readings of the environment: a value is what it says, or an error that names the variable and the fix."""

import os
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    value = text(name, str(default))
    if value not in ("True", "False"):
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to True or False")
    return value == "True"


def number(name: str, default: float) -> float:
    """A figure of zero or more."""
    value = text(name, str(default))
    try:
        read = float(value)
    except ValueError:
        read = -1.0
    if not 0 <= read < float("inf"):
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to a number of zero or more")
    return read


def words(name: str, default: list[str]) -> list[str]:
    """A comma-separated list, without blanks."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or default


#: A server that has gone without a word is noticed in five seconds, which is how long a lease lasts; TCP would take
#: a quarter of an hour. Nothing of it concerns a socket on this machine.
_NOTICED: Final = {"keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3, "tcp_user_timeout": 5000}


def database(url: str) -> dict[str, Any]:
    """`postgresql://user:password@host:port/name?host=/socket/folder&sslmode=…` as Django's settings."""
    parts = urlsplit(url)
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in ("postgresql", "postgres") or not name:
        raise ImproperlyConfigured("DATABASE_URL: write postgresql://USER:PASSWORD@HOST:PORT/NAME")
    try:
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL: {error}") from error
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": options.pop("port", "") or str(port or ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **_NOTICED, **options},
    }


def broker(url: str) -> str:
    """The Redis URL as kombu spells it: a unix socket is `redis+socket://` there."""
    return url.replace("unix://", "redis+socket://", 1)


def redis(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured("REDIS_URL: write redis://HOST:PORT/0 or unix:///path/of/the/socket")
    return url


def together(name: str, needed: str) -> None:
    """Raise where ``name`` is set without what it needs."""
    if text(name) and not text(needed):
        raise ImproperlyConfigured(f"{name} is set without {needed}: set that too")


def web(name: str) -> str:
    """An address of the web, or nothing. What follows its host may be secret and is never repeated."""
    url = text(name)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if url and not usable:
        raise ImproperlyConfigured(f"{name}: write https://HOST/PATH")
    return url


class MailServer(NamedTuple):
    """In the order in which the settings take them."""

    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = ""
    use_tls: bool = False
    use_ssl: bool = False


def mail_server(name: str) -> MailServer:
    """`smtp://USER:PASSWORD@HOST:PORT`; `smtp+tls` begins plainly and turns to TLS, `smtps` is TLS from the start."""
    url = text(name)
    if not url:
        return MailServer()
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ports or not parts.hostname:
        raise ImproperlyConfigured(f"{name}: write smtp://, smtp+tls:// or smtps://USER:PASSWORD@HOST:PORT")
    return MailServer(
        parts.hostname,
        port or ports[parts.scheme],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        parts.scheme == "smtp+tls",
        parts.scheme == "smtps",
    )
