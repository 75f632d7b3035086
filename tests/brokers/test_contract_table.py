"""The table of the contract in docs/brokers.md is about the cases that there are."""

from __future__ import annotations

import pytest

from tests.brokers.contract import CASES
from tests.brokers.contract_table import BEGIN, END, PAGE, VENUES, sentence


@pytest.mark.parametrize("name", VENUES)
def test_what_does_not_apply_to_a_venue_is_a_case_and_has_a_reason(name):
    suite = VENUES[name]

    assert {**suite.not_applicable, **suite.not_yet}.keys() <= set(CASES)
    assert all(suite.not_applicable.values()) and all(suite.not_yet.values())


def test_the_page_has_a_row_for_each_case_and_none_has_failed():
    table = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith(("| case", "| **"))]

    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [sentence(case) for case in CASES]
    assert "FAILED" not in table
