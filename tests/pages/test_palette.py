"""The palette: pages, verbs, runs and bots by what they are called."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import resolve

from tests.pages.builders import ends, session
from trading.models import Bot
from trading.palette import commands

pytestmark = pytest.mark.django_db

URL = "/ui/palette/"
HTMX = {"HX-Request": "true"}


def found(client: Client, text: str) -> list[str]:
    """The titles that a search shows, in order."""
    answer = client.get(URL, {"q": text}, headers=HTMX)
    return [one.title for one in answer.context["found"]]


def test_without_a_text_it_offers_every_page_and_verb(operator: Client) -> None:
    titles = found(operator, "")
    assert {"Engage the kill switch…", "Stop all sessions", "Portfolio", "Runs", "Risk"} <= set(titles)


def test_a_run_is_found_by_its_name_and_by_the_beginning_of_its_id(operator: Client) -> None:
    run = session("momentum of banks").run
    assert found(operator, "of banks") == ["momentum of banks"]
    assert "momentum of banks" in found(operator, str(run.pk)[:12])


def test_a_bot_is_found_by_part_of_its_name(operator: Client) -> None:
    Bot.objects.create(name="crossing")
    assert "crossing" in found(operator, "ross")


def test_the_words_of_a_search_stand_in_any_order(operator: Client) -> None:
    assert found(operator, "kill engage")[0] == "Engage the kill switch…"


def test_a_viewer_is_offered_no_verb(viewer: Client) -> None:
    assert not {"Engage the kill switch…", "Stop all sessions"} & set(found(viewer, ""))


def test_the_inspector_is_offered_to_staff_alone(operator: Client, viewer: Client) -> None:
    assert "Inspector" in found(operator, "")
    assert "Inspector" not in found(viewer, "")


def test_it_is_a_page_for_who_has_no_scripts(operator: Client) -> None:
    ends(session("lonely"))
    page = operator.get(URL, {"q": "lonely"}).content.decode()
    assert "<html" in page
    assert 'value="lonely"' in page


def test_what_is_searched_for_is_shown_as_text(operator: Client) -> None:
    assert "<script>x" not in operator.get(URL, {"q": "<script>x</script>"}).content.decode()


def test_every_shortcut_leads_to_one_page() -> None:
    pages = commands.pages(User(is_staff=True))
    keys = [one.keys for one in pages if one.keys]
    assert len(keys) == len(set(keys))
    assert all(resolve(one.url) for one in pages)
