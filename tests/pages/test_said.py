"""What a page has said can be read again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from alphaswarm_site.rooms import said
from tests.pages.builders import session

pytestmark = pytest.mark.django_db

URL = "/ui/messages/"


def test_what_a_verb_answered_is_found_again(operator: Client) -> None:
    run = session("momentum").run
    operator.post(f"/ui/runs/{run.pk}/stop/", {"sure": "yes"}, follow=True)
    assert "momentum was asked to stop" in operator.get(URL).content.decode()


def test_one_person_does_not_read_what_another_was_told(operator: Client, viewer: Client) -> None:
    run = session("momentum").run
    operator.post(f"/ui/runs/{run.pk}/stop/", {"sure": "yes"}, follow=True)
    assert "momentum was asked to stop" not in viewer.get(URL).content.decode()


def test_the_last_fifty_are_kept_newest_first() -> None:
    for number in range(said.KEPT + 3):
        said.keep("reader", said.Said(datetime.now(UTC), "info", f"message {number}"))
    kept = said.kept("reader")
    assert kept is not None
    assert [one.text for one in kept] == [f"message {number}" for number in range(said.KEPT + 2, 2, -1)]


def test_how_many_frames_a_page_has_missed_is_found_again(operator: Client) -> None:
    assert operator.post(URL, {"missed": 12, "page": "/ui/portfolio/"}).status_code == 204
    assert "12 frames were missed at /ui/portfolio/." in operator.get(URL).content.decode()
    for wrong in ({"missed": 0, "page": "/ui/"}, {"missed": 3, "page": "https://elsewhere.example/"}, {}):
        assert operator.post(URL, wrong).status_code == 422
