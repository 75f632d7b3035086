"""The limits that a run is watched by while it trades: each reads one figure, which may be as high as its limit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import ClassVar, Final, NamedTuple

from risk.diary import Diary, profit
from risk.limits import RiskLimits
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.orders import OrderRecord
from trading.engine.portfolio import ZERO
from trading.engine.risk import Denial, Headroom
from trading.engine.strategy import Context

#: Where a float of money is this close to a limit (in the account's currency), the exact figure decides.
_NEAR: Final = 0.01
_NANOS_PER_MINUTE: Final = 60 * NANOS_PER_SECOND
#: Of fewer orders no rate of rejects is told.
LEAST_ORDERS: Final = 10
#: A limit is normal again once its figure has come down to this fraction of it, so that a figure that hovers at its
#: limit does not let the run trade and stop it again with each bar.
CALM: Final = Decimal("0.9")


class Reading(NamedTuple):
    """The figure of a limit now, in its unit, and the symbol that it is of where it is of one."""

    figure: Decimal
    symbol: str | None = None


class Limit(ABC):
    """One limit of one run. Asked after each bar, it first looks whether its figure `is_near`, which costs little and
    may say yes too often; only then the exact figure is reckoned."""

    code: ClassVar[str]
    unit: ClassVar[str]

    def __init__(self, limit: Decimal, diary: Diary) -> None:
        self.limit = limit
        self._near = float(limit) - _NEAR
        self._diary = diary

    @abstractmethod
    def is_near(self, run: Context, equity: float) -> bool:
        """Whether the limit may be exceeded after the bar at hand; ``equity`` is a float."""

    @abstractmethod
    def read(self, run: Context) -> Reading:
        """The exact figure."""

    @abstractmethod
    def sentence(self, reading: Reading) -> str:
        """What has happened, for a person."""

    def breach(self, run: Context) -> Denial | None:
        reading = self.read(run)
        if reading.figure <= self.limit:
            return None
        return Denial(code=self.code, message=self.sentence(reading), figure=reading.figure, limit=self.limit)

    def headroom(self, run: Context) -> Headroom:
        figure, symbol = self.read(run)
        return Headroom(code=self.code, used=figure, limit=self.limit, unit=self.unit, symbol=symbol)

    def is_calm(self, run: Context) -> bool:
        return self.read(run).figure <= CALM * self.limit


class DailyLoss(Limit):
    """Equity at the start of the day less equity now: unrealised losses and fees count."""

    code, unit = "max_daily_loss", "money"

    def is_near(self, run: Context, equity: float) -> bool:
        return self._diary.day_start - equity >= self._near

    def read(self, run: Context) -> Reading:
        return Reading(max(_rounded(self._diary.day_start) - run.equity, ZERO))

    def sentence(self, reading: Reading) -> str:
        return f"lost {reading.figure:.2f} since 00:00 UTC, more than {self.limit}"


class Drawdown(Limit):
    """The fall of the equity from its peak, as a fraction of the peak."""

    code, unit = "max_drawdown", "fraction"

    def __init__(self, limit: Decimal, diary: Diary) -> None:
        super().__init__(limit, diary)
        self._kept = 1.0 - float(limit)

    def is_near(self, run: Context, equity: float) -> bool:
        return equity <= self._diary.peak * self._kept + _NEAR

    def read(self, run: Context) -> Reading:
        peak = _rounded(self._diary.peak)
        return Reading(max(peak - run.equity, ZERO) / peak if peak > 0 else ZERO)

    def sentence(self, reading: Reading) -> str:
        peak = _rounded(self._diary.peak)
        return f"fell {reading.figure:.2%} from the peak of {peak:.2f}, more than {self.limit:.2%}"


class SymbolLoss(Limit):
    """What the worst symbol has lost since the run began, realised and unrealised, fees not counted."""

    code, unit = "max_symbol_loss", "money"

    def is_near(self, run: Context, equity: float) -> bool:
        for symbol, made in self._diary.made.items():
            position = run.position(symbol)
            if position is not None and -made - position.units * position.last >= self._near:
                return True
        return False

    def read(self, run: Context) -> Reading:
        worst = Reading(ZERO)
        for symbol in self._diary.made:
            position = run.position(symbol)
            if position is not None:
                lost = self._diary.bases.get(symbol, ZERO) - profit(position)
                worst = max(worst, Reading(lost, symbol), key=_by_figure)
        return worst

    def sentence(self, reading: Reading) -> str:
        return f"{reading.symbol} has lost {reading.figure:.2f}, more than {self.limit}"


class TradesPerDay(Limit):
    """Orders whose fills opened or enlarged a position today. One more than allowed is turned away before it leaves,
    and counts: to have asked for it is the breach. One that would be too many only if those that wait are filled is
    turned away too, and counts as nothing."""

    code, unit = "max_trades_per_day", "count"

    def is_near(self, run: Context, equity: float) -> bool:
        return self._figure() > self._near

    def read(self, run: Context) -> Reading:
        return Reading(Decimal(self._figure()))

    def sentence(self, reading: Reading) -> str:
        return f"{reading.figure} trades since 00:00 UTC, more than {self.limit}"

    def refusal(self, order: OrderRecord, run: Context) -> Denial | None:
        """Why this order may not open anything."""
        self._diary.turn(run.now)
        trades = self._diary.trades
        if len(trades) >= self.limit:
            self._diary.turned_away = True
            message = f"would be trade {len(trades) + 1} since 00:00 UTC, more than {self.limit}"
            return Denial(code=self.code, message=message, figure=Decimal(self._figure()), limit=self.limit)
        own = (order.group or order.id, order.replaces)
        open_ones = (one for one in run.open_orders() if one.collateral and one.id not in trades)
        waiting = {name for one in open_ones if (name := one.group or one.id) not in own}
        count = len(trades) + len(waiting) + 1
        if count <= self.limit:
            return None
        message = f"with those that wait this could be trade {count} since 00:00 UTC, more than {self.limit}"
        return Denial(code=self.code, message=message, figure=Decimal(count), limit=self.limit)

    def _figure(self) -> int:
        return len(self._diary.trades) + self._diary.turned_away


class ConsecutiveLosses(Limit):
    """Round trips in a row that have lost money, fees counted."""

    code, unit = "max_consecutive_losses", "count"

    def is_near(self, run: Context, equity: float) -> bool:
        return self._diary.losses > self._near

    def read(self, run: Context) -> Reading:
        return Reading(Decimal(self._diary.losses))

    def sentence(self, reading: Reading) -> str:
        return f"{reading.figure} round trips in a row have lost money, more than {self.limit}"


class MinutesInPosition(Limit):
    """The age of the oldest position in event time, nights and weekends included."""

    code, unit = "max_minutes_in_position", "minutes"

    def is_near(self, run: Context, equity: float) -> bool:
        youngest = run.now - self._near * _NANOS_PER_MINUTE
        return any(stay.since <= youngest for stay in self._diary.stays.values())

    def read(self, run: Context) -> Reading:
        ages = (Reading(_minutes(run.now - stay.since), symbol) for symbol, stay in self._diary.stays.items())
        return max(ages, key=_by_figure, default=Reading(ZERO))

    def sentence(self, reading: Reading) -> str:
        return f"{reading.symbol} has been held for {reading.figure:.2f} minutes, more than {self.limit}"


class RejectRate(Limit):
    """Of the orders sent in the last hour, ten at least, the fraction that the venue rejected."""

    code, unit = "max_reject_rate", "fraction"

    def is_near(self, run: Context, equity: float) -> bool:
        # Whatever the rate is, there is none without a reject.
        return bool(self._diary.rejected)

    def read(self, run: Context) -> Reading:
        diary = self._diary
        diary.forget(run.now)
        sent = len(diary.sent)
        return Reading(Decimal(len(diary.rejected)) / sent if sent >= LEAST_ORDERS else ZERO)

    def sentence(self, reading: Reading) -> str:
        sent = len(self._diary.sent)
        return f"{reading.figure:.0%} of the last hour's {sent} orders were rejected, more than {self.limit:.0%}"


#: Each limit by the name that recipes give it, which is its code.
LIMITS: Final[tuple[type[Limit], ...]] = (
    DailyLoss,
    Drawdown,
    SymbolLoss,
    TradesPerDay,
    ConsecutiveLosses,
    MinutesInPosition,
    RejectRate,
)


def limits_of(limits: RiskLimits, diary: Diary) -> list[Limit]:
    """Those that the recipe has set."""
    named = ((kind, getattr(limits, kind.code)) for kind in LIMITS)
    return [kind(Decimal(limit), diary) for kind, limit in named if limit is not None]


def _by_figure(reading: Reading) -> Decimal:
    return reading.figure


def _minutes(nanos: int) -> Decimal:
    return round(Decimal(nanos) / _NANOS_PER_MINUTE, 6)


def _rounded(value: float) -> Decimal:
    return Decimal(repr(round(value, 6)))
