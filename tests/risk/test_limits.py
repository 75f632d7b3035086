"""The limits of a recipe, as they are read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from risk.limits import DayTrading, RiskLimits

D = Decimal


def test_no_limit_is_set_by_default() -> None:
    limits = RiskLimits()
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
