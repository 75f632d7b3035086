"""Day trades of a margin account, and the two regimes that bound them. See `risk.limits.DayTrading`.

A day trade opens and closes exposure in one security on one day (FINRA rule 4210(f)(8)(B)), New York's. Entries
followed by exits are one day trade, however many fills they take, and one more with each entry after an exit; the parts
of one order are one entry. What was held overnight is no part of it. Crypto is no security.

Who names a regime says that the account is a margin account at its broker; a cash account alone is exempt. The equity
is the run's own, and day trades are counted over this run alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from risk.exposure import reach
from trading.engine.bars import NANOS_PER_SECOND, to_datetime
from trading.engine.calendars import calendar_of
from trading.engine.instruments import AssetClass, Instrument, instrument_of
from trading.engine.margin import AccountType, maintenance
from trading.engine.orders import OrderRecord, Side
from trading.engine.records import Fill
from trading.engine.risk import Denial
from trading.engine.strategy import Context

_ZERO: Final = Decimal(0)
_NEW_YORK: Final = ZoneInfo("America/New_York")
_EXCHANGE: Final = "XNYS"
_DAYS: Final = 5
#: This many day trades in five days, if they are more than this part of all trades, make a pattern.
_PATTERN: Final = 4
_PART: Final = Decimal("0.06")
_LEAST_EQUITY: Final = Decimal(25_000)
_BUY: Final = Side.BUY


class Day(msgspec.Struct):
    """One day: its date as an ordinal, orders that traded, and day trades among them."""

    day: int
    trades: int = 0
    day_trades: int = 0


class DayTrades(msgspec.Struct):
    """What counts towards a pattern; JSON-ready. ``days`` are those of the last five business days on which something
    traded, oldest first.

    ``opened`` are symbols with an entry today that no exit has followed; ``entered`` and ``traded`` orders that have
    made an entry, or any trade, today; ``waiting`` open orders that may still make one, with their symbols.
    """

    days: list[Day] = []
    opened: dict[str, bool] = {}
    entered: dict[str, bool] = {}
    traded: dict[str, bool] = {}
    waiting: dict[str, str] = {}

    def take(self, order: OrderRecord) -> None:
        """An order passed every rule."""
        if order.collateral:
            self.waiting[order.id] = order.symbol

    def filled(self, order: OrderRecord, fill: Fill, time: int) -> None:
        if _instrument(order.symbol).asset is AssetClass.CRYPTO:
            return
        today = self._turn_to(time)
        if order.id not in self.traded:
            self.traded[order.id] = True
            today.trades += 1
        signed = fill.qty if fill.side is _BUY else -fill.qty
        before = fill.position_qty - signed
        if before * signed < 0 and self.opened.pop(order.symbol, False):
            today.day_trades += 1
        if fill.position_qty * signed > 0 and order.id not in self.entered:
            self.entered[order.id] = self.opened[order.symbol] = True
        if not order.remaining_qty:
            self.waiting.pop(order.id, None)

    def ended(self, order: OrderRecord) -> None:
        self.waiting.pop(order.id, None)

    def stretches(self, order: OrderRecord, now: int) -> Iterator[tuple[int, int]]:
        """Day trades and trades of each stretch of days that ends with today, if this order and all that is open were
        to be entries and were closed today: what is in a stretch now may be all that is in five days later on."""
        first, today = _first_day(now), _day(now)
        past = [one for one in reversed(self.days) if one.day >= first]
        begun = past.pop(0) if past and past[0].day == today else None
        opened, entered = (self.opened, self.entered) if begun else ({}, {})
        coming = 1 + sum(one != order.replaces and one not in entered for one in self.waiting)
        day_trades, trades = len(opened) + coming, len(opened) + 2 * coming
        for day in (begun, *past):
            if day is not None:
                day_trades += day.day_trades
                trades += day.trades
            yield day_trades, trades

    def _turn_to(self, time: int) -> Day:
        today = _day(time)
        if not self.days or self.days[-1].day != today:
            first = _first_day(time)
            self.days = [*(one for one in self.days if one.day >= first), Day(today)]
            self.opened, self.entered, self.traded = {}, {}, {}
        return self.days[-1]


def legacy_pdt(order: OrderRecord, context: Context, days: DayTrades) -> Denial | None:
    """No entry that could become the fourth day trade in five business days while the account's equity is under
    $25,000, where day trades would be more than 6% of all trades. An exit always passes, so that it is the entry which
    is held back: every entry of today that is not closed yet, and every open order that could be one, counts as a day
    trade already."""
    if not _concerned(order, context) or context.equity >= _LEAST_EQUITY:
        return None
    found = next((one for one in days.stretches(order, context.now) if _is_pattern(*one)), None)
    if found is None:
        return None
    day_trades, trades = found
    message = (
        f"closed today this could be day trade {day_trades} in five business days, {day_trades / trades:.0%} of all"
        f" trades; with an equity under {_LEAST_EQUITY} at most {_PATTERN - 1} are allowed"
    )
    return Denial(code="legacy_pdt", message=message, figure=Decimal(day_trades), limit=Decimal(_PATTERN - 1))


def intraday_margin(order: OrderRecord, context: Context) -> Denial | None:
    """No entry that could make or enlarge an intraday margin deficit (FINRA rule 4210(d)(2), SR-FINRA-2025-017): with
    it and all open orders filled, the equity must cover the maintenance margin of all that is held, at any time of the
    day and not at its end alone."""
    if context.account is AccountType.CASH:
        return None
    needed = sum((_margin(symbol, context, order) for symbol in context.symbols()), _ZERO)
    equity = context.equity
    if needed <= equity:
        return None
    message = f"the maintenance margin would come to {needed:.2f}, over an equity of {equity:.2f}"
    return Denial(code="intraday_margin", message=message, figure=needed, limit=equity)


def _margin(symbol: str, context: Context, order: OrderRecord) -> Decimal:
    """Maintenance margin of a symbol, whichever way its position may come to need more."""
    there = reach(symbol, context, order if order.symbol == symbol else None)
    if not there.unit:
        return _ZERO
    instrument = _instrument(symbol, context)
    price = there.unit / instrument.multiplier
    underlying = None if instrument.option is None else context.last_price(instrument.option.underlying)
    return max(
        max(there.high, _ZERO) * maintenance(instrument, price, False, underlying),
        max(-there.low, _ZERO) * maintenance(instrument, price, True, underlying),
    )


def _concerned(order: OrderRecord, context: Context) -> bool:
    return context.account is not AccountType.CASH and _instrument(order.symbol).asset is not AssetClass.CRYPTO


def _instrument(symbol: str, context: Context | None = None) -> Instrument:
    """What the venue has brought into the account may be of a symbol that the run does not trade."""
    known = context is not None and symbol in context.universe
    return context.instrument(symbol) if context is not None and known else instrument_of(symbol)


def _is_pattern(day_trades: int, trades: int) -> bool:
    return day_trades >= _PATTERN and day_trades > _PART * trades


def _day(time: int) -> int:
    return to_datetime(time).astimezone(_NEW_YORK).toordinal()


def _first_day(time: int) -> int:
    """The first of the five business days of the exchange that end with today's."""
    calendar, day = calendar_of(_EXCHANGE), date.fromordinal(_day(time))
    for _ in range(_DAYS):
        close = datetime.fromtimestamp(calendar.close_by(day) // NANOS_PER_SECOND, _NEW_YORK).date()
        day = close - timedelta(days=1)
    return close.toordinal()
