"""One field of a recipe's text is changed, and the rest stays as it was written."""

from __future__ import annotations

from typing import Any

import pytest

from trading.recipes.document import read_document
from trading.recipes.editing import line_of, with_field
from trading.recipes.reading import FOLDER

TEXT = """\
# What a person wrote.
name: demo  # the name
universe: [SPY, BAC]
strategy: {class: SmaCrossStrategy, kwargs: {fast: 4, slow: 12}}
risk:
  max_open_orders: 20  # enough
  max_order_qty: 5

session:
  model_urn: urn:a
"""


def test_a_value_is_changed_in_its_place_beside_its_comment() -> None:
    assert with_field(TEXT, ["name"], "other") == TEXT.replace("name: demo ", "name: other ")
    assert with_field(TEXT, ["risk", "max_open_orders"], 7) == TEXT.replace("20  #", "7  #")
    assert with_field(TEXT, ["strategy", "kwargs", "fast"], 5) == TEXT.replace("fast: 4", "fast: 5")


def test_a_field_is_added_where_its_neighbours_stand() -> None:
    assert with_field(TEXT, ["strategy", "kwargs", "quantity"], 9) == TEXT.replace("slow: 12", "slow: 12, quantity: 9")
    assert "  max_order_qty: 5\n  max_drawdown: 0.1\n" in with_field(TEXT, ["risk", "max_drawdown"], 0.1)
    assert with_field(TEXT, ["feed", "class"], "SyntheticFeed").endswith("urn:a\nfeed: {class: SyntheticFeed}\n")


def test_a_field_is_left_out_with_its_line() -> None:
    assert with_field(TEXT, ["risk", "max_order_qty"], None) == TEXT.replace("  max_order_qty: 5\n", "")
    assert with_field(TEXT, ["strategy", "kwargs", "slow"], None) == TEXT.replace(", slow: 12", "")
    assert with_field(TEXT, ["strategy", "kwargs", "fast"], None) == TEXT.replace("fast: 4, ", "")
    assert with_field(TEXT, ["sizing", "method"], None) == TEXT


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["universe"], ["SPY", "ON", "2024-01-02"]),
        (["strategy", "class"], "no"),
        (["strategy", "kwargs"], {"fast": 1.5, "wide": [1, 2], "on": True}),
        (["session", "max_bars"], 10),
        (["session", "model_urn"], None),
        (["risk"], None),
        (["brokerage", "kwargs", "fees"], {"bps": 2}),
    ],
)
def test_every_shipped_recipe_says_afterwards_what_was_wanted(path: list[str], value: Any) -> None:
    for file in FOLDER.glob("*.yaml"):
        before = read_document(file.read_text())
        after = read_document(with_field(file.read_text(), path, value))
        *way, last = path
        for step in way:
            before.setdefault(step, {})
            assert {name: one for name, one in after.items() if name != step} == {
                name: one for name, one in before.items() if name != step
            }
            before, after = before[step] or {}, after.get(step) or {}
        assert after.get(last) == value
        assert {name for name in before if name != last} == {name for name in after if name != last}


def test_where_a_place_cannot_be_changed_all_is_written_anew() -> None:
    assert read_document(with_field("universe:\n- SPY\n- BAC\nname: a\n", ["universe"], ["SPY"])) == {
        "universe": ["SPY"],
        "name": "a",
    }
    assert read_document(with_field("", ["name"], "a")) == {"name": "a"}


def test_the_line_of_a_field_is_told() -> None:
    assert line_of(TEXT, ["risk", "max_order_qty"]) == 7
    assert line_of(TEXT, ["risk", "unknown"]) == 5
    assert line_of(TEXT, ["feed"]) is None
