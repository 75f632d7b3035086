"""Who may open which page: the table is made from the routes themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver

pytestmark = pytest.mark.django_db

#: What who is not logged in must be able to open, and that which ends a log-in.
OPEN = {"ui/login/", "ui/logout/"}
_GIVEN = {"uuid": str(uuid4()), "int": "1", "str": "word", "slug": "word"}


def routes(resolver: Any = None, before: str = "") -> Iterator[str]:
    for one in (resolver or get_resolver()).url_patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one, path)
        elif path.startswith("ui/"):
            yield path


def filled(route: str) -> str:
    parts = (part[1:-1].partition(":") if part.startswith("<") else None for part in route.split("/"))
    return "/".join(
        part if given is None else _GIVEN[given[0] if given[1] else "str"]
        for part, given in zip(route.split("/"), parts, strict=True)
    )


PAGES = sorted(set(routes()) - OPEN)


def test_there_are_pages() -> None:
    assert {"ui/portfolio/", "ui/ledger/"} <= set(PAGES)


@pytest.mark.parametrize("route", PAGES)
def test_nobody_gets_past_the_door(client: Client, route: str) -> None:
    for ask in (client.get, client.post):
        answer = ask(f"/{filled(route)}")
        assert answer.status_code == 405 or answer.headers.get("Location", "").startswith("/ui/login/")
