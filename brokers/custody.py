"""What the simulated venue does by itself at a session's close: interest, margin calls, the expiry of options.

The account's days are those of the New York Stock Exchange. All of it is told with the first bar after the close, at
the prices of the last bars before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Final

from brokers.book import Book
from brokers.financing import Financing
from brokers.working import ZERO
from trading.engine.bars import price_of
from trading.engine.calendars import AROUND_THE_CLOCK, DAY, calendar_of
from trading.engine.exact import exact
from trading.engine.instruments import AssetClass, Instrument, OptionTerms, Right
from trading.engine.margin import AccountType, maintenance
from trading.engine.orders import OrderRecord, TimeInForce
from trading.engine.updates import CashUpdate, UpdateKind

_HOME: Final = "XNYS"
_AUCTIONS: Final = frozenset({TimeInForce.OPG, TimeInForce.CLS})


def intrinsic(terms: OptionTerms, underlying: Decimal) -> Decimal:
    """What exercising an option is worth per unit of its underlying, at least zero."""
    gain = underlying - terms.strike if terms.right is Right.CALL else terms.strike - underlying
    return max(gain, ZERO)


class Custody:
    """Keeps the account: its nights, its margin, and the positions that end by themselves."""

    def __init__(self, book: Book, account_type: AccountType, financing: Financing | None) -> None:
        self._book = book
        self._account = book.account
        self._financing = financing
        self._is_margin = account_type is AccountType.MARGIN
        self._expiring: set[str] = set()
        if financing is not None or self._is_margin:
            book.agenda.at(0, self._open)

    def refusal(self, order: OrderRecord) -> str:
        """Why the venue does not take an order, empty when it does. An option that it takes is settled in time."""
        instrument = self._book.instrument(order.symbol)
        terms = instrument.option
        if terms is None:
            if order.time_in_force in _AUCTIONS and instrument.calendar == AROUND_THE_CLOCK:
                return f"{order.symbol} trades around the clock: it has no opening and no closing auction"
            return ""
        last = calendar_of(instrument.calendar).close_by(terms.expiry)
        if self._book.now >= last:
            return f"{order.symbol} has expired"
        if terms.underlying not in self._book.bars:
            return f"there is no price of {terms.underlying} to settle it by: add {terms.underlying} to the universe"
        if order.symbol not in self._expiring:
            self._expiring.add(order.symbol)
            self._book.agenda.at(last, partial(self._settle, order.symbol, terms))
        return ""

    # Nights and margin.

    def _open(self, _: int) -> None:
        self._book.agenda.at(calendar_of(_HOME).close_after(self._book.now), self._end_session)

    def _end_session(self, close: int) -> None:
        """What is held at a close is financed until the next one; then its margin is looked at."""
        following = calendar_of(_HOME).close_after(close)
        if self._financing is not None:
            self._finance(self._financing, round((following - close) / DAY))
        if self._is_margin and self._is_called():
            self._call()
        self._book.agenda.at(following, self._end_session)

    @exact
    def _finance(self, financing: Financing, days: int) -> None:
        owed = ZERO
        for symbol, instrument, units, price in self._held():
            if units < 0 and instrument.asset is not AssetClass.OPTION:
                value = -units * price * instrument.multiplier
                owed += value
                self._pay("borrow", -financing.borrow_cost(symbol, value, days), symbol)
        # The proceeds of shorts are held as their security and earn nothing.
        self._pay("interest", financing.interest(self._account.cash - owed, days))

    def _pay(self, code: str, amount: Decimal, symbol: str = "") -> None:
        if amount:
            self._account.pay(amount)
            self._book.emit(CashUpdate(code, amount, self._book.now, symbol))

    @exact
    def _is_called(self) -> bool:
        equity, needed = self._account.cash, ZERO
        for _, instrument, units, price in self._held():
            terms = instrument.option
            underlying = None if terms is None else self._last(terms.underlying)
            equity += units * price * instrument.multiplier
            needed += abs(units) * maintenance(instrument, price, units < 0, underlying)
        return equity < needed

    def _call(self) -> None:
        """Cancel all orders and close all positions: each trades as a market order, at its symbol's next open."""
        for work in self._book.orders():
            if not work.done:
                self._book.finish(work, UpdateKind.CANCELLED, "margin call")
        for symbol, _, units, _ in list(self._held()):
            self._book.introduce(symbol, -units, "margin call")

    def _held(self) -> Iterator[tuple[str, Instrument, Decimal, Decimal]]:
        """Symbol, instrument, units (negative is short) and last close of each position."""
        for symbol, units in self._account.units.items():
            if units:
                yield symbol, self._book.instrument(symbol), units, self._last(symbol)

    def _last(self, symbol: str) -> Decimal:
        return price_of(self._book.bars[symbol].close)

    # Options.

    def _settle(self, symbol: str, terms: OptionTerms, _: int) -> None:
        """End an option: its orders expire, its position is paid what it is worth at the underlying's last close."""
        for work in self._book.orders():
            if work.order.symbol == symbol and not work.done:
                self._book.finish(work, UpdateKind.EXPIRED, "the option has expired")
        units = self._account.units.get(symbol, ZERO)
        if units:
            value = intrinsic(terms, self._last(terms.underlying))
            work = self._book.introduce(symbol, -units, "exercised at expiry" if value else "expired worthless")
            self._book.settle(work, value)
