"""What would come of a recipe if it were started now. Nothing is started, written or sent, and no venue is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final
from uuid import UUID

from metadata.gate import Reason
from risk.halts import Scope
from trading.admission import StartHeld, check_held, objections
from trading.backtest import Curve, drive
from trading.engine.bars import Bar, to_datetime
from trading.engine.engine import Engine
from trading.engine.errors import TradingError
from trading.engine.orders import OrderRecord
from trading.engine.records import Kind, Record
from trading.feeds.live import LiveFeed
from trading.parts import Parts, SimulatedParts, assemble, assemble_simulated
from trading.recipes import Recipe, with_feed
from trading.rows import moment

#: Bars that are tried at most for a first fill, and seconds: somebody is typing.
MOST_BARS: Final = 5_000
MOST_SECONDS: Final = 0.5
#: Reasons for denials that are told.
_TOLD: Final = 3
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True)
class Denied:
    """Orders that the limits denied for one reason: how many, and the first of them."""

    reason: str
    count: int
    at: str | None


@dataclass(frozen=True)
class FirstOrder:
    """The first order that would fill, and its first fill: ``value`` is quantity times price and multiplier,
    ``commission`` and ``slippage`` (None where it cannot be told apart from another order's) are in the account's
    currency."""

    order: OrderRecord
    at: datetime
    qty: Decimal
    price: Decimal
    value: Decimal
    commission: Decimal
    slippage: Decimal | None

    @property
    def cost(self) -> Decimal:
        return self.commission + (self.slippage or 0)


@dataclass(frozen=True)
class Rehearsal:
    """``bars`` of the recipe's own feed, or of made-up prices where that is live (``made_up``), tried at the simulated
    venue until its first fill. ``problem`` says why none could be."""

    bars: int = 0
    orders: int = 0
    first: FirstOrder | None = None
    denied: list[Denied] = field(default_factory=list)
    halted: str = ""
    made_up: bool = False
    venue: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Forecast:
    """``held`` says why nothing starts now; ``reasons`` are the metadata gate's, ``rehearsal`` is None where it was not
    asked for."""

    held: str
    reasons: list[Reason]
    rehearsal: Rehearsal | None = None


def forecast(recipe: Recipe, *, rehearse: bool) -> Forecast:
    """Raises `TradingError` for a recipe whose parts cannot be made."""
    parts = assemble(recipe)
    facts = parts.facts()
    held = ""
    try:
        check_held({Scope.ACCOUNT: facts.account})
    except StartHeld as error:
        held = f"{str(error).capitalize()}."
    return Forecast(held, objections(recipe, facts), rehearsal(recipe, parts) if rehearse else None)


def rehearsal(recipe: Recipe, parts: Parts) -> Rehearsal:
    """The recipe's first bars, as a backtest takes them."""
    made_up = isinstance(parts.feed, LiveFeed)
    venue = "" if parts.brokerage.venue == "sim" else parts.brokerage.venue
    try:
        if made_up:
            recipe = with_feed(recipe, "SyntheticFeed", {"timeframe": str(parts.feed.timeframe), "pace": "max"})
        tried = assemble_simulated(recipe)
        # A large file is only looked at: reading it takes longer than somebody waits between two letters.
        tried.feed.glance()
        tried.expect(tried.feed.interval)
        engine = tried.engine(_NOBODY)
        drive(engine, tried.brokerage, _until_filled(tried.bars(), engine), Curve())
    except TradingError as error:
        return Rehearsal(made_up=made_up, problem=f"{error}.")
    if not engine.bars:
        return Rehearsal(made_up=made_up, problem="Its data is too large to be tried while you type: run a backtest.")
    return Rehearsal(
        bars=engine.bars,
        orders=sum(record.kind is Kind.ORDER_INTENDED for record in engine.records),
        first=_first(tried, engine),
        denied=list(_denied(engine.records)),
        halted=engine.halted or "",
        made_up=made_up,
        venue=venue,
    )


def _until_filled(bars: Iterator[Bar], engine: Engine) -> Iterator[Bar]:
    """Bars up to the one in which an order fills."""
    deadline = None
    for bar in islice(bars, MOST_BARS):
        # The first bar may have to wait for a calendar.
        deadline = deadline or time.monotonic() + MOST_SECONDS
        yield bar
        if engine.fills or time.monotonic() > deadline:
            return


def _first(tried: SimulatedParts, engine: Engine) -> FirstOrder | None:
    filled = [
        (one.time, one.order, one.fill) for one in engine.records if one.order is not None and one.fill is not None
    ]
    if not filled:
        return None
    at, order, fill = filled[0]
    # A bar fills it whole or in one part; what else the bar has filled has paid its own slippage.
    return FirstOrder(
        order=order,
        at=to_datetime(at),
        qty=fill.qty,
        price=fill.price,
        value=fill.qty * fill.price * engine.instrument(fill.symbol).multiplier,
        commission=fill.fee,
        slippage=tried.brokerage.slippage_paid if len(filled) == 1 else None,
    )


def _denied(records: list[Record]) -> Iterator[Denied]:
    by_reason: dict[str, list[Record]] = {}
    for record in records:
        if record.kind is Kind.ORDER_DENIED:
            code = str((record.data or {}).get("code", record.reason))
            by_reason.setdefault(code, []).append(record)
    for alike in islice(by_reason.values(), _TOLD):
        yield Denied(alike[0].reason, len(alike), moment(to_datetime(alike[0].time)))
