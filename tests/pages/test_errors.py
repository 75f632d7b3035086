"""Pages that say that there is none."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client


def test_an_address_with_nothing_behind_it_offers_the_search(operator: Client) -> None:
    answer = operator.get("/ui/nowhere/")
    assert answer.status_code == 404
    assert 'action="/ui/palette/"' in answer.content.decode()


def test_a_fault_names_the_ways_to_stop_everything(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.raise_request_exception = False
    monkeypatch.setattr("trading.queries.portfolio_overview", broken)
    answer = operator.get("/ui/portfolio/")
    assert answer.status_code == 500
    page = answer.content.decode()
    assert 'href="/ui/kill/"' in page
    assert "alphaswarm kill engage" in page
    assert "its inside" not in page


def broken() -> None:
    raise RuntimeError("its inside")


def test_a_fault_is_told_without_the_database() -> None:
    assert "could not be made" in render_to_string("500.html")


def test_a_form_from_before_the_log_in_says_that_nothing_was_done(operator: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    answer = strict.post("/ui/runs/stop-all/")
    assert answer.status_code == 403
    assert "Nothing was done" in answer.content.decode()
