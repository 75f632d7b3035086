"""How figures, times and durations are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.templatetags import figures

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "written"),
    [("1234.5", "1,234.50"), ("-0.004", "0.00"), (Decimal("-12.345"), f"{MINUS}12.34"), (None, "—"), ("NaN", "—")],
)
def test_money_has_cents(value: Any, written: str) -> None:
    assert figures.money(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [("101.5", "101.50"), ("99.62784359", "99.6278"), ("0.00001234", "0.00001234"), ("", "—")],
)
def test_a_price_has_two_places_or_what_it_needs(value: Any, written: str) -> None:
    assert figures.price(value) == written


@pytest.mark.parametrize(("value", "written"), [("1000", "1,000"), ("0.25", "0.25"), ("-5", f"{MINUS}5")])
def test_a_quantity_has_the_places_that_it_has(value: Any, written: str) -> None:
    assert figures.qty(value) == written


NO_TERMS = dict.fromkeys(["stop_price", "limit_price", "trail_amount", "trail_percent"])
NO_TIES = {"external": False, "parent_id": None, "group_id": None, "replaces": None, "reduce_only": False}


@pytest.mark.parametrize(
    ("order", "written"),
    [
        ({}, "market"),
        ({"limit_price": "35.26"}, "limit 35.26"),
        ({"stop_price": "34.1"}, "stop 34.10"),
        ({"stop_price": "34.1", "limit_price": "34"}, "stop 34.10, limit 34.00"),
        ({"trail_amount": "2"}, "trails by 2.00"),
        ({"trail_percent": "1.5"}, "trails by 1.5%"),
        ({"time_in_force": "opg"}, "market at the open"),
        ({"limit_price": "35", "time_in_force": "cls"}, "limit 35.00 at the close"),
    ],
)
def test_an_order_says_at_what_price_it_trades(order: dict[str, Any], written: str) -> None:
    assert figures.terms({**NO_TERMS, "time_in_force": "day", **order}) == written


@pytest.mark.parametrize(
    ("order", "written"),
    [
        ({}, ""),
        ({"parent_id": "1", "group_id": "1"}, "exit"),
        ({"group_id": "1"}, "one of a group"),
        ({"replaces": "1", "reduce_only": True}, "replacement, reduce only"),
        ({"external": True}, "by the venue"),
    ],
)
def test_an_order_says_what_it_is_tied_to(order: dict[str, Any], written: str) -> None:
    assert figures.ties({**NO_TIES, **order}) == written


def test_a_gain_and_a_loss_differ_by_shape_and_sign_too() -> None:
    assert "▲" in figures.pnl("3")
    assert "+3.00" in figures.pnl("3")
    assert "▼" in figures.pnl("-3")
    assert f"{MINUS}3.00" in figures.pnl("-3")
    assert "▲" not in figures.pnl("0.001")


def test_a_fraction_is_a_percentage() -> None:
    assert figures.percent(-0.0125) == f"{MINUS}1.25%"
    assert figures.percent(figures.of("5", "0")) == "—"


def test_every_time_names_its_zone() -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
    for written in (figures.when(moment), figures.clock("2026-03-01T12:30:15Z")):
        assert "2026-03-01 12:30" in written
        assert "UTC" in written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(5, "5 s"), (65, "1 min 05 s"), (3_900, "1 h 05 min"), (90_000, "1 d 01 h")],
)
def test_a_duration_has_two_units(seconds: int, written: str) -> None:
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    assert figures.duration(begun, begun + timedelta(seconds=seconds)) == written


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_no_figure_breaks_a_page(value: Decimal) -> None:
    written = [
        figures.money(value),
        figures.price(value),
        figures.qty(value),
        figures.pnl(value),
        figures.percent(value),
    ]
    assert all(0 < len(text) < 120 for text in written)


def test_a_long_name_may_break_after_an_underscore_and_stays_text() -> None:
    assert figures.breakable("sim_<b>") == "sim_<wbr>&lt;b&gt;"
