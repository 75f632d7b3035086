"""Two-sided quotes in options around an own view of volatility, hedged in the underlying."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import cosh, e, exp, isfinite, sqrt, tanh
from typing import Final, NamedTuple

import msgspec

from trading.engine.bars import NANOS_PER_SECOND, Bar, price_of
from trading.engine.calendars import calendar_of
from trading.engine.errors import InvalidValue
from trading.engine.instruments import Instrument, OptionTerms, Right
from trading.engine.option_pricing import implied_volatility, option_greeks, option_price, years_between
from trading.engine.orders import OrderRequest, Request, Side
from trading.engine.quoting import keep_quote, outward, withdraw
from trading.engine.strategy import Context, IStrategy
from trading.engine.volatility import MINUTES_PER_YEAR, RealisedVariance, Smile, moneyness

_WARM_UP: Final = 15
#: The part of the vega cap that quotes may use: what is held gains vega when the market moves.
_HEADROOM: Final = 0.9
_DAY_IN_YEARS: Final = 1 / 365


class Psi(NamedTuple):
    """How an inventory moves the quotes: ``view`` is psi1, ``inventory`` psi2, both in price per unit."""

    view: float
    inventory: float


def psi(time: float, drift: float, terminal: float, running: float, intensity: float, decay: float) -> Psi:
    """The closed form of Lucic and Tse, Optimal option market making and volatility arbitrage (SSRN 4729290).

    Orders arrive on each side at the rate A exp(-k d) for a quote at the distance d from the mark (``intensity`` A,
    ``decay`` k per unit of price). A held unit earns the ``drift`` g per unit of time: half of (sigma^2 - implied^2)
    times the dollar gamma, which a hedge at the implied volatility collects. Holding q costs ``running`` b times q^2
    per unit of time and ``terminal`` a times q^2 at the end, ``time`` from now. The value h(time, q) of quoting as best
    one can then obeys

        dh/dtime = g q - b q^2 + A/(e k) [exp(k (h(q-1) - h(q))) + exp(k (h(q+1) - h(q)))],   h(0, q) = -a q^2,

    and the best quotes stand at 1/k - (h(q-1) - h(q)) above the mark and 1/k - (h(q+1) - h(q)) below it. With
    exp(x) = 1 + x + x^2/2 the solution is psi0 + psi1 q + psi2 q^2 with, for c = 4 A k / e,

        dpsi2/dtime = -b + c psi2^2,    dpsi1/dtime = g + c psi1 psi2,

    which is solved here. The published form has rates of their own on the two sides; here they are the same.
    """
    c = 4 / e * intensity * decay
    if not running:
        grown = 1 + terminal * c * time
        return Psi(drift * time * (1 + grown) / (2 * grown), -terminal / grown)
    speed = sqrt(running * c)
    a, th = terminal * sqrt(c / running), tanh(speed * time)
    grown = 1 + a * th
    return Psi(drift / speed * (th + a * (1 - 1 / cosh(speed * time))) / grown, -sqrt(running / c) * (a + th) / grown)


class View(msgspec.Struct):
    """What the strategy thinks of one option, fixed when its underlying's bar comes and kept until the next.

    ``worth`` is its price on the smoothed smile, ``vega`` per 1.00 of volatility, ``drift`` what a hedged unit should
    earn per minute; all per unit of the underlying. ``years`` is the time to expiry.
    """

    worth: float
    delta: float
    vega: float
    drift: float
    years: float


class Book(msgspec.Struct):
    """What is known of one underlying and of the smiles of its expiries."""

    forecast: RealisedVariance
    smiles: dict[str, Smile] = msgspec.field(default_factory=dict)


class Memory(msgspec.Struct):
    """``books`` by underlying, ``views`` by option, ``quoted`` the time (ns) of each option's last quote."""

    books: dict[str, Book] = msgspec.field(default_factory=dict)
    views: dict[str, View] = msgspec.field(default_factory=dict)
    quoted: dict[str, int] = msgspec.field(default_factory=dict)


class LucicTseOptionsStrategy(IStrategy):
    """Makes markets in the options of the universe and keeps their delta hedged in the underlyings.

    Each bar of an underlying begins a cycle: the realised variance (``forecast_minutes`` is the half-life) and the
    smiles fitted to the quotes (``smile_minutes``) fix each option's worth, greeks and drift. Each bar of an option
    then quotes ``quantity`` contracts on both sides of its worth at the distances that `psi` gives: an option that the
    own forecast thinks cheap is bid for more, and the more vega the book holds, the less it pays for more of it. The
    inventory q of the closed form is the book's vega in units of that of one quote, so that all strikes and expiries of
    an underlying share one inventory, whose cost is ``terminal`` and ``running`` (per minute) times the square of the
    book's vega in money per volatility point. ``intensity`` (per minute) and ``decay`` (per unit of price) describe the
    arrivals; ``horizon_minutes`` is how far each cycle looks ahead.

    Caps: ``max_contracts`` of each option, and ``max_vega`` (money per volatility point) of all options of one
    underlying, even if every resting quote of one side is filled at once. Not quoted is what has no quote or one wider
    than ``max_spread``, what expires within a day, and anything whose own or whose underlying's last bar is older than
    ``stale_seconds``. A delta of more than ``hedge_band`` units is hedged by a market order. The quotes never cross the
    market. The forecast knows of sessions alone: what moves overnight is not in it.
    """

    sizes_itself = True

    def __init__(
        self,
        intensity: float = 0.5,
        decay: float = 40.0,
        quantity: int = 1,
        terminal: float = 0.002,
        running: float = 0.00005,
        horizon_minutes: float = 30,
        forecast_minutes: float = 120,
        smile_minutes: float = 10,
        max_contracts: int = 20,
        max_vega: float = 200,
        hedge_band: float = 50,
        stale_seconds: float = 300,
        max_spread: float = 0.5,
        rate: float = 0.0,
        dividend: float = 0.0,
    ) -> None:
        _check("more than zero", intensity=intensity, decay=decay, quantity=quantity, horizon_minutes=horizon_minutes)
        _check("more than zero", forecast_minutes=forecast_minutes, smile_minutes=smile_minutes, max_vega=max_vega)
        _check("more than zero", stale_seconds=stale_seconds, max_spread=max_spread)
        _check("zero or more", terminal=terminal, running=running, hedge_band=hedge_band)
        if max_contracts < quantity:
            raise InvalidValue(f"max_contracts must be at least quantity ({quantity}), not {max_contracts}")
        self.intensity, self.decay, self.quantity = intensity, decay, quantity
        self.terminal, self.running, self.horizon = terminal, running, horizon_minutes
        self.forecast_minutes, self.smile_minutes = forecast_minutes, smile_minutes
        self.max_contracts, self.max_vega, self.hedge_band = max_contracts, max_vega, hedge_band
        self.stale, self.max_spread = round(stale_seconds * NANOS_PER_SECOND), max_spread
        self.rate, self.dividend = rate, dividend
        self.state: Memory = Memory()
        self._chains: dict[str, list[str]] = {}

    def on_bar(self, bar: Bar, context: Context) -> Sequence[Request]:
        terms = context.instrument(bar.symbol).option
        return self._begin_cycle(bar, context) if terms is None else self._quote(bar, terms, context)

    def offsets(self, view: View, vega: float, book_vega: float, unit: float) -> tuple[float, float]:
        """How far above and below an option's worth to quote, in price per unit.

        ``vega`` is that of one quote, ``book_vega`` that of all that is held, both in money per volatility point;
        ``unit`` how much money a price of one is worth to one quote.
        """
        weight = vega * vega / unit
        psi1, psi2 = psi(
            self.horizon, view.drift, self.terminal * weight, self.running * weight, self.intensity, self.decay
        )
        q = book_vega / vega
        return 1 / self.decay + psi1 + (2 * q - 1) * psi2, 1 / self.decay - psi1 - (2 * q + 1) * psi2

    def vega(self, underlying: str, context: Context) -> float:
        """What all options held of one underlying gain when volatility rises by a point, in money."""
        return self._vegas(underlying, context)[0]

    # A cycle: what everything is worth, what has become stale, and the hedge.

    def _begin_cycle(self, bar: Bar, context: Context) -> list[Request]:
        book = self.state.books.get(bar.symbol)
        if book is None:
            book = self.state.books[bar.symbol] = Book(RealisedVariance(self.forecast_minutes))
        book.forecast.update(bar.close, bar.time)
        requests: list[Request] = []
        for symbol in self._chain(bar.symbol, context):
            self._look_at(symbol, context.instrument(symbol), book, bar)
            if bar.time - self.state.quoted.get(symbol, 0) > self.stale:
                requests += withdraw(context.open_orders(symbol), "no quote for too long")
        return [*requests, *self._hedge(bar.symbol, context)]

    def _chain(self, underlying: str, context: Context) -> list[str]:
        if not self._chains:
            for symbol in context.universe:
                terms = context.instrument(symbol).option
                self._chains.setdefault(symbol if terms is None else terms.underlying, [])
                if terms is not None:
                    self._chains[terms.underlying].append(symbol)
        return self._chains[underlying]

    def _look_at(self, symbol: str, instrument: Instrument, book: Book, bar: Bar) -> None:
        """Fix what an option is worth until the next cycle; none is known before its first quote."""
        self.state.views.pop(symbol, None)
        terms = instrument.option
        if terms is None:
            return
        smile, years = book.smiles.get(str(terms.expiry)), self._years(terms, instrument, bar.time)
        if smile is None or not smile.is_known or years <= 0:
            return
        spot, strike, carry = bar.close, float(terms.strike), (self.rate, self.dividend)
        vol = smile.vol(moneyness(self._forward(spot, years), strike, years))
        greeks = option_greeks(terms.right, spot, strike, years, vol, *carry)
        gain = (book.forecast.value - vol * vol) / 2 * spot * spot * greeks.gamma
        self.state.views[symbol] = View(
            worth=option_price(terms.right, spot, strike, years, vol, *carry),
            delta=greeks.delta,
            vega=greeks.vega,
            drift=gain / MINUTES_PER_YEAR,
            years=years,
        )

    def _hedge(self, underlying: str, context: Context) -> list[Request]:
        delta = float(context.qty(underlying))
        for symbol, view in self._viewed(underlying, context):
            delta += float(context.qty(symbol) * context.instrument(symbol).multiplier) * view.delta
        units = round(abs(delta))
        if abs(delta) <= self.hedge_band or not units or context.has_open_order(underlying):
            return []
        side = Side.SELL if delta > 0 else Side.BUY
        reason = f"hedge a delta of {delta:.0f}"
        return [OrderRequest(symbol=underlying, side=side, qty=Decimal(units), reason=reason)]

    def _viewed(self, underlying: str, context: Context) -> Iterator[tuple[str, View]]:
        views = self.state.views
        return ((symbol, views[symbol]) for symbol in self._chain(underlying, context) if symbol in views)

    # A quote: what it teaches, and ours in answer to it.

    def _quote(self, bar: Bar, terms: OptionTerms, context: Context) -> list[Request]:
        instrument, book = context.instrument(bar.symbol), self.state.books.get(terms.underlying)
        if book is None or not self._is_fresh(book, bar) or not 0 < bar.bid < bar.ask:
            return withdraw(context.open_orders(bar.symbol), "no quote, or none of the underlying")
        self.state.quoted[bar.symbol] = bar.time
        self._learn(bar, terms, instrument, book)
        view = self.state.views.get(bar.symbol)
        if view is None or not self._is_worth_quoting(bar, book, view):
            return withdraw(context.open_orders(bar.symbol), "not to be quoted now")
        per_contract = view.vega / 100 * float(instrument.multiplier)
        held, bids, asks = self._vegas(terms.underlying, context, bar.symbol)
        unit = self.quantity * float(instrument.multiplier)
        above, below = self.offsets(view, self.quantity * per_contract, held, unit)
        tick, position = instrument.tick_at(price_of(bar.close)), int(context.qty(bar.symbol))
        bid = min(outward(view.worth - below, tick, Side.BUY), outward(bar.ask, tick, Side.BUY) - tick)
        ask = max(outward(view.worth + above, tick, Side.SELL), outward(bar.bid, tick, Side.SELL) + tick)
        room = _HEADROOM * self.max_vega
        to_buy = self._size((room - bids) / per_contract, self.max_contracts - position) if bid > 0 else 0
        to_sell = self._size((room + asks) / per_contract, self.max_contracts + position)
        return [
            *keep_quote(bar.symbol, Side.BUY, bid, Decimal(to_buy), context),
            *keep_quote(bar.symbol, Side.SELL, ask, Decimal(to_sell), context),
        ]

    def _learn(self, bar: Bar, terms: OptionTerms, instrument: Instrument, book: Book) -> None:
        """Let an option that is not in the money teach the smile of its expiry; its error is the spread's."""
        spot, strike, years = book.forecast.price, float(terms.strike), self._years(terms, instrument, bar.time)
        forward, carry = self._forward(spot, years), (self.rate, self.dividend)
        if years < _DAY_IN_YEARS or (strike < forward) is (terms.right is Right.CALL):
            return
        vol = implied_volatility(terms.right, (bar.bid + bar.ask) / 2, spot, strike, years, *carry)
        if vol is None:
            return
        smile = book.smiles.setdefault(str(terms.expiry), Smile(self.smile_minutes))
        vega = option_greeks(terms.right, spot, strike, years, vol, *carry).vega
        smile.learn(moneyness(forward, strike, years), vol, (vega / (bar.ask - bar.bid)) ** 2, bar.time)

    def _is_worth_quoting(self, bar: Bar, book: Book, view: View) -> bool:
        return (
            bar.ask - bar.bid <= self.max_spread
            and book.forecast.minutes >= min(_WARM_UP, self.forecast_minutes)
            and view.years >= _DAY_IN_YEARS
            and view.vega > 0
        )

    def _is_fresh(self, book: Book, bar: Bar) -> bool:
        return bar.time - book.forecast.time <= self.stale

    def _vegas(self, underlying: str, context: Context, but: str = "") -> tuple[float, float, float]:
        """The book's vega in money per volatility point: as held, and with every resting bid or every resting ask
        filled, those of the option ``but`` left out."""
        held = bids = asks = 0.0
        for symbol, view in self._viewed(underlying, context):
            vega = view.vega / 100 * float(context.instrument(symbol).multiplier)
            held += vega * float(context.qty(symbol))
            if symbol != but:
                bids += vega * float(context.open_qty(symbol, Side.BUY))
                asks += vega * float(context.open_qty(symbol, Side.SELL))
        return held, held + bids, held - asks

    def _size(self, by_vega: float, by_position: int) -> int:
        return max(min(int(min(by_vega, self.quantity)), by_position), 0)

    def _forward(self, spot: float, years: float) -> float:
        return spot * exp((self.rate - self.dividend) * years)

    def _years(self, terms: OptionTerms, instrument: Instrument, now: int) -> float:
        return years_between(now, calendar_of(instrument.calendar).close_by(terms.expiry))


def _check(rule: str, **figures: float) -> None:
    for name, value in figures.items():
        if not (isfinite(value) and (value > 0 or (value == 0 and rule == "zero or more"))):
            raise InvalidValue(f"{name} must be {rule}, not {value}")
