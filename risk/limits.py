"""The limits of a run, as its recipe writes them under ``risk:``, and the two that watch the equity as it moves."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from trading.engine.risk import Denial

Amount = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Fraction = Annotated[Decimal, Field(gt=0, lt=1, allow_inf_nan=False)]

_NANOS_PER_DAY: Final = 86_400 * 1_000_000_000
#: Where the float equity is this close to a floor (in the account's currency), the exact one decides.
_NEAR: Final = 0.01


class RiskLimits(BaseModel):
    """No limit is set but those that are named; buying power always holds.

    ``max_position_value``, ``max_order_value``, ``max_order_qty``, ``max_open_orders`` are checked before an order
    leaves, and never hold back one that only reduces a position. ``max_daily_loss`` (an amount) and ``max_drawdown``
    (a fraction, 0.1 is ten percent) are checked after each bar, see `breach`.

    ``on_breach`` says what a breach does: ``halt`` ends the run. Reducing instead (safe mode) is not offered yet, so it
    is refused rather than read and not done.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_position_value: Amount | None = None
    max_order_value: Amount | None = None
    max_order_qty: Amount | None = None
    max_open_orders: Count | None = None
    max_daily_loss: Amount | None = None
    max_drawdown: Fraction | None = None
    on_breach: Literal["halt"] = "halt"

    @property
    def watches_equity(self) -> bool:
        return self.max_daily_loss is not None or self.max_drawdown is not None

    def breach(self, equity: Decimal, day_start: Decimal, peak: Decimal) -> Denial | None:
        """The limit that is exceeded, or None.

        ``equity`` is cash plus positions at their last closes, so unrealised losses and fees count. The daily loss is
        ``day_start`` minus equity, where ``day_start`` is the equity after the last bar of the day before (on the first
        day: the starting cash) and a day runs from 00:00 to 24:00 UTC by the stamps of the bars. The drawdown is the
        fall from ``peak``, the highest equity after any bar since the run began (at least the starting cash), as a
        fraction of it. A loss equal to its limit is allowed.
        """
        loss = day_start - equity
        if self.max_daily_loss is not None and loss > self.max_daily_loss:
            message = f"lost {loss:.2f} since 00:00 UTC, more than {self.max_daily_loss}"
            return Denial(code="max_daily_loss", message=message, figure=loss, limit=self.max_daily_loss)
        fall = peak - equity
        if self.max_drawdown is not None and fall > self.max_drawdown * peak:
            fraction = fall / peak
            message = f"fell {fraction:.2%} from the peak of {peak:.2f}, more than {self.max_drawdown:.2%}"
            return Denial(code="max_drawdown", message=message, figure=fraction, limit=self.max_drawdown)
        return None


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
