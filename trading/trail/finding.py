"""Finding the trail of one moment: the run is done again up to it, and the ledger tells the rest.

Nothing is noted while a run trades, so that it costs nothing: the same bars bring the same decisions. What cannot be
done again (its bars were deleted) is told from the ledger alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, Final

import msgspec
import psycopg

from risk.manager import Check
from trading import ledger
from trading.connections import connect
from trading.engine.bars import Bar, to_datetime, to_nanos
from trading.engine.errors import InvalidValue, TradingError
from trading.engine.memory import saved
from trading.engine.records import plain
from trading.folding.driver import ReplayDriver
from trading.folding.recorded import driver_of, events_of
from trading.folding.tape import Differs, Tape
from trading.models import Mode, Order, Run, RunStatus
from trading.queries import ACTIVE
from trading.replay.report import bars_of, check, parts_of
from trading.rows import moment
from trading.trail import told
from trading.trail.steps import BarTrail, OrderTrail, Stage, Step, Trail
from trading.trail.tracing import Trace, sentence, terms_of, traced

#: Orders of one moment that are looked at.
MOST_ORDERS: Final = 100


class Seen(msgspec.Struct, frozen=True):
    """One bar of the moment; ``requests`` and ``checks`` are None where the run could not be done again."""

    number: int
    bar: Bar
    requests: list[str] | None = None


class _Moment(msgspec.Struct):
    bars: list[Seen]
    checks: dict[str, list[Check]] = {}
    knew: Any = None
    note: str = ""


def trail(
    run: Run,
    *,
    at: datetime | None = None,
    symbol: str | None = None,
    order_id: str | None = None,
    most_bars: int | None = None,
) -> Trail:
    """The trail of the last bar (of ``symbol``) at or before ``at``, or of the bar that brought an order; by default of
    the last bar that the run saw.

    Raises `InvalidValue` for a symbol or an order that the run has not.
    """
    if symbol is not None and symbol not in run.recipe.get("universe", ()):
        raise InvalidValue(f"symbol: {symbol} is not in the universe of this run")
    if order_id is not None:
        order = Order.objects.filter(run=run, id=order_id).first()
        if order is None:
            raise InvalidValue(f"order: this run has no order {order_id}")
        at = order.created_at
    with connect() as database:
        # One look at bars and facts, also while the run goes on.
        database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        found = _moment(database, run, at, symbol, most_bars)
    return _told(run, found, at, symbol, order_id)


def _moment(
    database: psycopg.Connection[Any], run: Run, at: datetime | None, symbol: str | None, most_bars: int | None
) -> _Moment:
    try:
        check(run, most_bars)
        return _again(database, run, at, symbol)
    except (TradingError, Differs) as error:
        note = f"The run could not be done again, so this is what its ledger kept: {error}."
    if run.mode == Mode.BACKTEST:
        return _Moment([], note=note)
    target = _target(ledger.read_bars(database, run.id), at, symbol)
    bars = [Seen(number, bar) for number, bar in enumerate(ledger.read_bars(database, run.id), 1) if bar.time == target]
    return _Moment(bars, note=note)


def _target(bars: Iterable[Bar], at: datetime | None, symbol: str | None) -> int | None:
    """The stamp of the last bar, of one symbol or of any, at or before a time."""
    until = None if at is None else to_nanos(at)
    target = None
    for bar in bars:
        if until is not None and bar.time > until:
            break
        if symbol is None or bar.symbol == symbol:
            target = bar.time
    return target


def _again(database: psycopg.Connection[Any], run: Run, at: datetime | None, symbol: str | None) -> _Moment:
    """Do the run again up to the moment, and note what was asked there."""
    trace = Trace()
    parts, agent = traced(parts_of(run), trace)
    target = _target((seen.bar for seen in bars_of(database, run, parts)), at, symbol)
    if target is None:
        return _Moment([])
    unfinished = run.status in ACTIVE or run.status == RunStatus.INTERRUPTED
    driver = driver_of(parts, parts.engine(run.id, agent), Tape(events_of(database, run), unfinished=unfinished))
    bars = takewhile(lambda one: one.bar.time <= target, bars_of(database, run, parts))
    seen, checks = [], {}
    for number, bar in _noting(driver, bars, trace):
        if bar.time == target:
            seen.append(Seen(number, bar, [sentence(request) for request in trace.requests]))
            checks |= trace.checks
    return _Moment(seen, checks, saved(parts.strategy))


def _noting(driver: ReplayDriver, bars: Iterator[ledger.Seen], trace: Trace) -> Iterator[tuple[int, Bar]]:
    """Each bar once it has been taken, with what was noted of it alone."""
    for one in bars:
        trace.clear()
        before = driver.engine.bars
        driver.advance([one])
        if driver.engine.bars == before:
            return
        yield driver.engine.bars, one.bar


# From what was found to what is shown.


def _told(run: Run, found: _Moment, at: datetime | None, symbol: str | None, order_id: str | None) -> Trail:
    when = to_datetime(found.bars[0].bar.time) if found.bars else at
    orders = _orders(run, found, when)
    bars = [
        BarTrail(
            number=seen.number,
            symbol=seen.bar.symbol,
            time=str(moment(to_datetime(seen.bar.time))),
            close=f"{seen.bar.close:g}",
            requests=seen.requests,
        )
        for seen in found.bars
        if symbol is None or seen.bar.symbol == symbol
    ]
    if order_id is not None:
        orders = [order for order in orders if order.order_id == order_id]
    elif symbol is not None:
        orders = [order for order in orders if order.symbol == symbol]
    return Trail(
        run_id=str(run.id),
        name=run.name,
        time=moment(when),
        symbol=symbol,
        verdict=_verdict(run, bars, orders, at, symbol),
        state=told.state_at(run, when) if when is not None else [],
        bars=bars,
        orders=orders,
        knew=found.knew,
        note=found.note,
    )


def _orders(run: Run, found: _Moment, when: datetime | None) -> list[OrderTrail]:
    if when is None:
        return []
    rows = Order.objects.filter(run=run, created_at=when).order_by("seq")[:MOST_ORDERS]
    return [_order(run, row, found.checks.get(row.id)) for row in rows]


def _order(run: Run, order: Order, checks: Sequence[Check] | None) -> OrderTrail:
    events = told.events_of(run, order)
    because = f": {order.reason}" if order.reason and order.status != "denied" else ""
    steps = [
        Step(stage=Stage.SIGNAL, message=f"{order.signal}{because}"),
        Step(stage=Stage.SIZE, message=order.sizing or "the strategy's own quantity"),
    ]
    refused = told.refusal(order, events, withheld=False)
    if checks is not None:
        steps += [_checked(one) for one in checks]
    if refused is not None and not any(step.passed is False for step in steps):
        steps.append(refused)
    elif refused is None and checks is None and not order.external:
        steps.append(Step(stage=Stage.CHECK, passed=True, message="it passed the checks, which are not kept singly"))
    steps += told.after_the_checks(order, events)
    return OrderTrail(order_id=order.id, symbol=order.symbol, terms=terms_of(order), status=order.status, steps=steps)


def _checked(one: Check) -> Step:
    denial = one.denial
    if denial is None:
        return Step(stage=Stage.CHECK, passed=True, code=one.name, message=one.name.replace("_", " "))
    return Step(
        stage=Stage.CHECK,
        passed=False,
        code=denial.code,
        message=denial.message,
        figure=None if denial.figure is None else plain(denial.figure),
        limit=None if denial.limit is None else plain(denial.limit),
    )


def _verdict(
    run: Run, bars: Sequence[BarTrail], orders: Sequence[OrderTrail], at: datetime | None, symbol: str | None
) -> str:
    """The answer in a sentence."""
    if orders:
        stopped = [order for order in orders if order.stopped_by is not None]
        said = "; ".join(order.verdict for order in (stopped or orders)[:3])
        return f"{said[:1].upper()}{said[1:]}."
    of = f" of {symbol}" if symbol else ""
    if not bars:
        before = f" at or before {moment(at)}" if at is not None else ""
        return f"The run has seen no bar{of}{before}: it is {run.status}."
    if all(bar.requests is None for bar in bars):
        return "No order came of this bar."
    if not any(bar.requests for bar in bars):
        return f"The strategy looked at the bar{of} and asked for nothing."
    return "The strategy asked for no new order."
