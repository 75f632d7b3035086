"""The limits that watch the equity of a run as it moves."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from risk.limits import RiskLimits
from trading.engine.risk import Denial

_NANOS_PER_DAY: Final = 86_400 * 1_000_000_000
#: Where the float equity is this close to a floor (in the account's currency), the exact one decides.
_NEAR: Final = 0.01


class EquityWatch:
    """`RiskLimits.breach` for each bar of one run, in a fraction of a microsecond while nothing is near.

    Day start and peak are kept as the floats of the equity curve and rounded to a millionth before they decide.
    """

    __slots__ = ("_allowed_loss", "_day", "_day_start", "_floor", "_kept", "_last", "_limits", "_peak")

    def __init__(self, limits: RiskLimits, starting_cash: Decimal) -> None:
        self._limits = limits
        self._day = -1
        self._day_start = self._peak = self._last = float(starting_cash)
        self._allowed_loss = float("inf") if limits.max_daily_loss is None else float(limits.max_daily_loss)
        self._kept = 0.0 if limits.max_drawdown is None else 1.0 - float(limits.max_drawdown)
        self._lower()

    def breach(self, time: int, equity: float, exact: Callable[[], Decimal]) -> Denial | None:
        """After a bar stamped ``time`` (ns, UTC): the equity as a float, and a way to ask for it exactly."""
        day = time // _NANOS_PER_DAY
        if day != self._day:
            self._day, self._day_start = day, self._last
            self._lower()
        self._last = equity
        if equity > self._floor:
            if equity > self._peak:
                self._peak = equity
                self._lower()
            return None
        return self._limits.breach(exact(), _rounded(self._day_start), _rounded(self._peak))

    def _lower(self) -> None:
        """Set the equity down to which nothing can have been breached."""
        drawdown_floor = self._peak * self._kept if self._limits.max_drawdown is not None else float("-inf")
        self._floor = max(self._day_start - self._allowed_loss, drawdown_floor) + _NEAR


def _rounded(value: float) -> Decimal:
    return Decimal(repr(round(value, 6)))
