"""The limits of a recipe, and the two that watch the equity."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from risk.limits import DayTrading, RiskLimits
from risk.watching import EquityWatch
from trading.engine.risk import Denial

D = Decimal
DAY = 86_400 * 1_000_000_000
HOUR = DAY // 24


def watched(limits: RiskLimits, marks: list[tuple[int, str]], cash: str = "10000") -> Denial | None:
    """Feed (time, equity) marks until one breaches."""
    watch = EquityWatch(limits, D(cash))
    for time, equity in marks:
        denial = watch.breach(time, float(equity), lambda equity=equity: D(equity))
        if denial is not None:
            return denial
    return None


def test_no_limit_is_set_by_default() -> None:
    limits = RiskLimits()
    assert not limits.watches_equity
    assert limits.on_breach == "halt"


@pytest.mark.parametrize("of_safe_mode", [{"resume": "manual"}, {"exit_positions": True}])
def test_what_belongs_to_safe_mode_is_refused_of_a_run_that_halts(of_safe_mode: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="belongs to on_breach: safe_mode"):
        RiskLimits.model_validate(of_safe_mode)
    assert RiskLimits.model_validate({"on_breach": "safe_mode", **of_safe_mode}).on_breach == "safe_mode"


def test_a_net_exposure_that_can_never_be_reached_is_refused() -> None:
    with pytest.raises(ValidationError, match="can never be reached"):
        RiskLimits(max_gross_exposure=100, max_net_exposure=101)


def test_the_regimes_of_day_trading_are_three() -> None:
    assert RiskLimits().pdt is DayTrading.OFF
    with pytest.raises(ValidationError, match="'off', 'intraday_margin' or 'legacy_pdt'"):
        RiskLimits.model_validate({"pdt": "pdt"})


def test_an_unknown_limit_is_named() -> None:
    with pytest.raises(ValidationError, match="max_losses"):
        RiskLimits(max_losses=5)


@pytest.mark.parametrize("value", [0, -1, "NaN", "Infinity", "much", True])
def test_a_limit_is_a_positive_number(value: object) -> None:
    with pytest.raises(ValidationError, match="max_daily_loss"):
        RiskLimits(max_daily_loss=value)


def test_a_drawdown_of_everything_is_no_limit() -> None:
    with pytest.raises(ValidationError, match="max_drawdown"):
        RiskLimits(max_drawdown=10)


def test_figures_are_read_as_they_are_written() -> None:
    assert RiskLimits(max_daily_loss=0.1).max_daily_loss == D("0.1")


def test_a_loss_equal_to_its_limit_is_allowed() -> None:
    assert watched(RiskLimits(max_daily_loss=1000), [(0, "9000.00")]) is None


def test_a_loss_a_cent_over_its_limit_is_not() -> None:
    denial = watched(RiskLimits(max_daily_loss=1000), [(0, "9000.00"), (1, "8999.99")])
    assert denial is not None
    assert (denial.code, denial.figure, denial.limit) == ("max_daily_loss", D("1000.01"), D(1000))


def test_the_day_starts_at_midnight_utc_with_the_equity_of_the_day_before() -> None:
    limits = RiskLimits(max_daily_loss=1000)
    over_two_days = [(23 * HOUR, "9200"), (24 * HOUR, "8300"), (25 * HOUR, "8200")]
    assert watched(limits, over_two_days) is None
    assert watched(limits, [(22 * HOUR, "9200"), (23 * HOUR, "8300")]) is not None


def test_a_gap_over_night_counts_for_the_new_day() -> None:
    denial = watched(RiskLimits(max_daily_loss=1000), [(23 * HOUR, "10000"), (24 * HOUR, "8900")])
    assert denial is not None
    assert denial.figure == D(1100)


def test_drawdown_is_measured_from_the_highest_equity_of_the_run() -> None:
    limits = RiskLimits(max_drawdown="0.1")
    assert watched(limits, [(0, "12000"), (DAY, "10800")]) is None
    denial = watched(limits, [(0, "12000"), (DAY, "10799.99")])
    assert denial is not None
    assert denial.code == "max_drawdown"


@given(
    st.lists(st.tuples(st.integers(0, 5 * 24), st.decimals("5000", "15000", places=2)), min_size=1, max_size=40),
    st.decimals("1", "3000", places=2),
    st.decimals("0.01", "0.5", places=2),
)
def test_the_quick_watch_decides_as_the_exact_rule_does(
    marks: list[tuple[int, Decimal]], loss: Decimal, fall: Decimal
) -> None:
    marks = sorted(marks, key=lambda mark: mark[0])
    limits = RiskLimits(max_daily_loss=loss, max_drawdown=fall)
    watch = EquityWatch(limits, D(10000))
    day, last, day_start, peak = -1, D(10000), D(10000), D(10000)
    for hour, equity in marks:
        if hour // 24 != day:
            day, day_start = hour // 24, last
        peak, last = max(peak, equity), equity
        assert watch.breach(hour * HOUR, float(equity), lambda equity=equity: equity) == limits.breach(
            equity, day_start, peak
        )
