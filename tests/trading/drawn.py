"""Drawn markets, venues, and strategies that ask for all that a strategy may ask for."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from hypothesis import strategies as st

from brokers.sim import SimulatedBrokerage
from tests.engine.builders import START
from tests.trading.sessions import CASH
from trading.engine.bars import NANOS_PER_SECOND, Bar
from trading.engine.orders import CancelRequest, OrderRequest, OrderType, ReplaceRequest, Side, TimeInForce
from trading.engine.strategy import IStrategy

SYMBOLS = ("SPY", "BAC")
HOUR = 3600 * NANOS_PER_SECOND


class Change(NamedTuple):
    """A cancel of the n-th order that the strategy has seen, or, with terms, its replacement."""

    order: int
    terms: dict[str, Decimal] | None = None


class Replayed(IStrategy):
    """Asks at its n-th bar, and at each timer, for what was drawn for it."""

    def __init__(self, wanted: list[list[OrderRequest | Change]], timers: list[tuple[int, int]]) -> None:
        self.wanted = wanted
        self.timers = timers
        self.asked = 0
        self.seen: list[str] = []

    def on_bar(self, bar, context):
        if not self.asked:
            for number, (hours, every) in enumerate(self.timers):
                context.set_timer(f"timer {number}", START + hours * HOUR, every * HOUR)
        return self.next(context)

    def on_timer(self, name, context):
        return self.next(context)

    def next(self, context):
        self.seen += [one.id for one in context.open_orders() if one.id not in self.seen and not one.external]
        self.asked += 1
        wanted = self.wanted[self.asked - 1] if self.asked <= len(self.wanted) else []
        return [one for one in map(self.request, wanted) if one is not None]

    def request(self, wanted):
        if isinstance(wanted, OrderRequest):
            return wanted
        if not self.seen:
            return None
        order_id = self.seen[wanted.order % len(self.seen)]
        return CancelRequest(order_id) if wanted.terms is None else ReplaceRequest(order_id=order_id, **wanted.terms)


CENTS = st.integers(500, 2000)
QUANTITIES = st.decimals("0.00000001", "400", places=8) | st.integers(1, 400).map(Decimal)


@st.composite
def markets(draw):
    """Hourly bars over some days, of one symbol or of both at a stamp."""
    bars, hour = [], 0
    # Prices that were adjusted for a dividend have as many digits as a float holds.
    unit = draw(st.sampled_from([0.01, 0.010123456789012345]))
    for _ in range(draw(st.integers(1, 14))):
        hour += draw(st.sampled_from([1, 1, 1, 5, 20]))
        for symbol in draw(st.sampled_from([SYMBOLS, SYMBOLS[:1], SYMBOLS[1:]])):
            opened, closed = draw(CENTS), draw(CENTS)
            high, low = max(opened, closed) + draw(st.integers(0, 300)), min(opened, closed) - draw(st.integers(0, 300))
            prices = (cents * unit for cents in (opened, high, low, closed))
            bars.append(Bar(symbol, START + hour * HOUR, *prices, 100.0))
    return bars


PRICES = CENTS.map(lambda cents: Decimal(cents) / 100)
NEEDED = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": PRICES},
    OrderType.STOP: {"stop_price": PRICES},
    OrderType.STOP_LIMIT: {"limit_price": PRICES, "stop_price": PRICES},
    OrderType.TRAILING_STOP: {"trail_percent": st.integers(1, 20).map(Decimal)},
}


#: What orders are linked with, and what those are.
LINKS = [["", "", "then", "instead", "both"], ["", "", "", "then"]]


@st.composite
def requests(draw, symbol=None, qty=None, depth=0):
    """Orders of all types and times in force, most of a legal shape, some of them linked."""
    symbol = symbol or draw(st.sampled_from(SYMBOLS))
    qty = qty or draw(QUANTITIES)
    type_ = draw(st.sampled_from(OrderType))
    time_in_force = draw(st.sampled_from(TimeInForce))
    expires_at = START + draw(st.integers(0, 200)) * HOUR if time_in_force is TimeInForce.GTD else None
    links = draw(st.sampled_from(LINKS[depth])) if depth < len(LINKS) else ""
    linked = requests(symbol, qty, depth + 1)
    return OrderRequest(
        symbol=symbol,
        side=draw(st.sampled_from(Side)),
        qty=qty,
        type=type_,
        time_in_force=time_in_force,
        expires_at=expires_at,
        reduce_only=draw(st.booleans()) if depth else draw(st.sampled_from([False] * 4 + [True])),
        extended_hours=draw(st.booleans()),
        then=tuple(draw(st.lists(linked, max_size=2))) if links in ("then", "both") else (),
        instead=(draw(linked),) if links in ("instead", "both") else (),
        **{name: draw(price) for name, price in NEEDED[type_].items()},
    )


CHANGES = st.builds(
    Change,
    st.integers(0, 30),
    st.none() | st.fixed_dictionaries({}, optional={"qty": QUANTITIES, "limit_price": PRICES, "stop_price": PRICES}),
)
WANTED = st.lists(st.lists(requests() | requests() | CHANGES, max_size=2), max_size=10)
TIMERS = st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 1, 7])), max_size=2)
VENUES = st.fixed_dictionaries(
    {
        "fill": st.sampled_from(["next_open", "same_close"]),
        "slippage": st.sampled_from(
            ["none", {"bps": "7"}, {"spread": "0.02"}, {"volume_share": "0.3", "impact": "0.1"}]
        ),
        "fees": st.sampled_from(["none", {"per_share": "0.005", "bps": "1"}, {"us_regulatory": True}]),
        "latency_ms": st.sampled_from([0, 500]),
        "hours": st.sampled_from(["any", "any", "regular"]),
        "account": st.sampled_from(["unlevered", "cash", "margin"]),
    },
    optional={
        "borrow_rate": st.just("8"),
        "interest": st.just({"credit": "2", "debit": "9"}),
        "arrivals": st.just({"intensity": 40, "decay": 20, "seed": 3}),
    },
)

_LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "max_daily_loss": st.just(500),
        "max_drawdown": st.just("0.02"),
        "max_symbol_loss": st.just(300),
        "max_trades_per_day": st.just(2),
        "max_consecutive_losses": st.just(1),
        "max_minutes_in_position": st.just(180),
        "max_open_orders": st.just(3),
    },
)
_SAFE = {"on_breach": "safe_mode"}
_ON_BREACH = st.sampled_from(
    [{}, _SAFE, {**_SAFE, "exit_positions": True}, {**_SAFE, "exit_positions": True, "resume": "manual"}]
)
#: Limits of which a run may break some, and what it does then.
LIMITS = st.builds(lambda limits, on_breach: {**limits, **on_breach}, _LIMITS, _ON_BREACH)


def brokerage(settings):
    made = SimulatedBrokerage(starting_cash=CASH, **settings)
    made.interval = HOUR
    return made
