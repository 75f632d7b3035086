"""What a first visit brings over the wire."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Final

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from tests.pages.builders import buys, rests, session

pytestmark = pytest.mark.django_db

#: Bytes, of the page and of everything that it names.
MOST: Final = 200_000
_NAMED: Final = re.compile(r'(?:href|src)="/static/([^"]+)"')


def packed(content: bytes) -> int:
    """How long it is as WhiteNoise keeps it."""
    return len(gzip.compress(content, compresslevel=9))


def test_a_first_visit_of_the_portfolio_is_light(operator: Client) -> None:
    for number in range(20):
        trading = session(f"session {number}")
        buys(trading)
        rests(trading)
    page = operator.get("/ui/portfolio/").content
    weights = {name: packed(Path(finders.find(name)).read_bytes()) for name in _NAMED.findall(page.decode())}
    assert len(weights) > 10
    # The page itself is never compressed: what is secret in it could be guessed from its length.
    total = sum(weights.values()) + len(page)
    assert total < MOST, weights
