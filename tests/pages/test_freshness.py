"""When a page says that a figure is old."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.pages.builders import session
from trading.freshness import fresh_seconds


@pytest.mark.parametrize(
    ("feed", "seconds"),
    [
        ({"timeframe": "1Sec", "pace": "1x"}, 17),
        ({"timeframe": "1Min"}, 105),
        ({"timeframe": "1Min", "pace": "60x"}, 17),
        ({"timeframe": "1Day", "pace": "max"}, 15),
        ({"timeframe": "15Min"}, 1365),
        ({"timeframe": "never"}, 105),
        (None, 105),
    ],
)
def test_a_figure_may_stand_for_a_bar_and_a_half(feed: dict[str, str] | None, seconds: int) -> None:
    assert fresh_seconds(feed) == seconds


@pytest.mark.django_db
def test_the_pages_know_it_of_each_session(operator: Client) -> None:
    recipe = {"feed": {"class": "SyntheticFeed", "kwargs": {"timeframe": "5Min", "pace": "1x"}}}
    run = session("slow", recipe=recipe, state={"emitted_at": None}).run
    (account,) = operator.get("/ui/portfolio/").context["accounts"]
    assert account["fresh_seconds"] == 465
    assert operator.get(f"/ui/runs/{run.pk}/").context["account"]["fresh_seconds"] == 465
