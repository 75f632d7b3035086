"""Every page below /ui/ keeps to its budget of SQL queries, whatever the number of rows."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import many
from bench.routes import pages
from tests.pages.budgets import BUDGETS, MOST

pytestmark = pytest.mark.django_db


def taken_by_pages(client: Client, made: many.Site) -> dict[str, int]:
    """How many queries each page takes; verbs, which answer no GET, are left out."""
    taken = {}
    for name, address in pages(made).items():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        assert answer.status_code in (200, 302, 405), f"{name} answered {answer.status_code}"
        if answer.status_code != 405:
            taken[name] = len(queries)
    return taken


def test_every_page_keeps_to_its_budget_and_ten_times_the_rows_need_no_more_queries(operator: Client) -> None:
    few = many.site(4)
    many.trade(few, 100)
    taken = taken_by_pages(operator, few)
    over = {name: count for name, count in taken.items() if count > BUDGETS.get(name, MOST)}
    assert not over
    assert set(BUDGETS) <= set(taken), "a page that has a budget is gone"
    lots = many.site(40)
    many.trade(lots, 1000)
    grown = {name: count for name, count in taken_by_pages(operator, lots).items() if count > taken[name]}
    assert not grown
