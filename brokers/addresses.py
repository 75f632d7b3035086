"""Where a venue keeps its real money."""

from __future__ import annotations

from urllib.parse import urlsplit

from trading.engine.errors import InvalidValue


def check_paper(paper: bool, url: str, live_url: str) -> None:
    """Raise `InvalidValue` where a recipe for paper is pointed at the venue's live address."""
    if paper and url and urlsplit(url).hostname == urlsplit(live_url).hostname:
        raise InvalidValue(f"base_url {url} is where the venue trades real money, and paper is true")
