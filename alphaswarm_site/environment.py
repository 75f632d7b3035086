"""Strict readings of the environment: a value is what it says, or an error that names the variable and the fix."""

import os
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    value = text(name, str(default))
    if value not in ("True", "False"):
        raise ImproperlyConfigured(f"{name} is {value!r}: set it to True or False")
    return value == "True"


def words(name: str, default: list[str]) -> list[str]:
    """A comma-separated list, without blanks."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or default


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
        "OPTIONS": {"connect_timeout": 5, **options},
    }


def broker(url: str) -> str:
    """The Redis URL as kombu spells it: a unix socket is `redis+socket://` there."""
    return url.replace("unix://", "redis+socket://", 1)


def redis(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured("REDIS_URL: write redis://HOST:PORT/0 or unix:///path/of/the/socket")
    return url
