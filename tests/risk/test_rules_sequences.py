"""Whatever a run asks for and whatever its venue does: no limit is ever overshot, by a reckoning of the test's own."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.builders import request
from tests.risk.trading import SECOND, D, Trader
from trading.engine.bars import to_nanos
from trading.engine.margin import AccountType
from trading.engine.orders import CancelRequest, OrderRecord, Side
from trading.engine.records import Kind
from trading.engine.updates import UpdateKind

CLOSES = {"SPY": 100, "BAC": 50}
MOST = {
    "max_position_qty": 30,
    "max_position_value": 2500,
    "max_gross_exposure": 1500,
    "max_open_orders": 2,
    "max_orders_per_second": 2,
    "max_orders_per_minute": 3,
    "duplicate_window_seconds": 5,
    "max_repeats": 2,
    "price_collar_bps": 300,
}
#: A Monday, ten in the morning in New York, of weeks without a holiday.
MONDAY = to_nanos(datetime(2023, 10, 16, 14, tzinfo=UTC))

symbols = st.sampled_from(sorted(CLOSES))
quantities = st.integers(1, 40)
asks = st.tuples(st.just("ask"), symbols, st.sampled_from(Side), quantities, st.none() | st.integers(-5, 5))
fills = st.tuples(st.just("fill"), st.integers(0, 5), st.integers(1, 40))
cancels = st.tuples(st.just("cancel"), st.integers(0, 5))
waits = st.tuples(st.just("wait"), st.sampled_from([0.3, 1, 4, 30, 60]))
resumes = st.tuples(st.just("resume"))
steps = st.lists(asks | asks | asks | fills | fills | cancels | waits | resumes, min_size=10, max_size=40)


def take(run: Trader, step: tuple) -> list[OrderRecord]:  # type: ignore[type-arg]
    """Do one step; the orders that left with it."""
    match step:
        case ("ask", symbol, side, qty, percent):
            close = CLOSES[symbol]
            limit = None if percent is None else str(close * D(100 + percent) / 100)
            return run.see(float(close), symbol, request(side, qty, symbol, limit))
        case ("trade", symbol, side, qty):
            orders = run.see(float(CLOSES[symbol]), symbol, request(side, qty, symbol))
            for order in orders:
                run.fill(order, price=str(CLOSES[symbol]))
            return orders
        case ("fill", which, qty):
            open_ = run.engine.open_orders()
            if open_:
                order = open_[which % len(open_)]
                run.fill(order, min(D(qty), order.remaining_qty), str(CLOSES[order.symbol]))
        case ("cancel", which):
            open_ = run.engine.open_orders()
            if open_:
                run.ask(CancelRequest(open_[which % len(open_)].id))
                run.tell(UpdateKind.CANCELLED, open_[which % len(open_)])
        case ("wait", seconds):
            run.later(seconds)
        case ("resume",):
            run.engine.renew()
    return []


class Reckoning:
    """What has happened so far, kept without the engine."""

    def __init__(self) -> None:
        self.held: dict[str, Decimal] = defaultdict(Decimal)
        self.left: list[tuple[int, OrderRecord]] = []
        self.entries = 0
        self.entered: set[str] = set()
        self.read = 0

    def book(self, run: Trader) -> None:
        for record in run.engine.records[self.read :]:
            if record.kind is Kind.ORDER_FILLED and record.fill is not None and record.order is not None:
                fill = record.fill
                self.held[fill.symbol] += fill.qty if fill.side is Side.BUY else -fill.qty
                # An entry counts with its first fill, also where a person lets the run go on before its last.
                if record.order.collateral and record.order.id not in self.entered:
                    self.entered.add(record.order.id)
                    self.entries += 1
        self.read = len(run.engine.records)

    def check_held(self, limit: str) -> None:
        values = {symbol: abs(qty) * CLOSES[symbol] for symbol, qty in self.held.items()}
        used = {
            "max_position_qty": max(map(abs, self.held.values()), default=D(0)),
            "max_position_value": max(values.values(), default=D(0)),
            "max_gross_exposure": sum(values.values()),
            "max_repeats": self.entries,
        }
        assert used.get(limit, 0) <= MOST[limit]

    def check_left(self, limit: str, run: Trader, order: OrderRecord) -> None:
        self.left.append((run.now, order))
        if not order.collateral:
            return
        ages = [(run.now - at) / SECOND for at, _ in self.left]
        used = {
            "max_open_orders": len(run.engine.open_orders()),
            "max_orders_per_second": sum(age < 1 for age in ages),
            "max_orders_per_minute": sum(age < 60 for age in ages),
        }
        assert used.get(limit, 0) <= MOST[limit]
        if limit == "duplicate_window_seconds":
            self._check_same(run, order)
        elif limit == "price_collar_bps" and order.limit_price is not None:
            over = order.limit_price - CLOSES[order.symbol]
            assert (over if order.side is Side.BUY else -over) * 10_000 <= MOST[limit] * CLOSES[order.symbol]

    def _check_same(self, run: Trader, order: OrderRecord) -> None:
        same = [
            (run.now - at) / SECOND
            for at, one in self.left[:-1]
            if one.collateral
            and (one.symbol, one.side, one.qty, one.limit_price)
            == (order.symbol, order.side, order.qty, order.limit_price)
        ]
        assert all(age >= MOST["duplicate_window_seconds"] for age in same)


@pytest.mark.parametrize("limit", sorted(MOST))
@settings(max_examples=40, deadline=None)
@given(taken=steps)
def test_no_sequence_of_orders_fills_and_cancels_overshoots_a_limit(limit: str, taken: list[tuple]) -> None:  # type: ignore[type-arg]
    run = Trader(universe=tuple(CLOSES), **{limit: MOST[limit]})
    run.see(50.0, "BAC")
    reckoning = Reckoning()
    for step in taken:
        left = take(run, step)
        if step == ("resume",):
            reckoning.entries = 0
        for order in left:
            reckoning.check_left(limit, run, order)
        reckoning.book(run)
        reckoning.check_held(limit)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30), st.integers(0, 3)), max_size=30))
def test_no_entries_whichever_of_them_fill_overshoot_the_net_exposure(taken: list[tuple[bool, int, int]]) -> None:
    run = Trader(universe=tuple(CLOSES), max_net_exposure=1500)
    run.see(50.0, "BAC")
    for buys, qty, fill in taken:
        symbol = "SPY" if buys else "BAC"
        run.see(CLOSES[symbol], symbol, request(Side.BUY if buys else Side.SELL, qty, symbol, str(CLOSES[symbol])))
        open_ = run.engine.open_orders()
        if open_ and fill:
            run.fill(open_[-fill % len(open_)], price=str(CLOSES[open_[-fill % len(open_)].symbol]))
        assert abs(run.engine.qty("SPY") * 100 + run.engine.qty("BAC") * 50) <= 1500


trades = st.tuples(st.just("trade"), symbols, st.sampled_from(Side), st.sampled_from([5, 10]))
nights = st.tuples(st.just("wait"), st.just(86_400))
days = st.lists(trades | trades | trades | asks | fills | fills | cancels | nights, min_size=20, max_size=60)


@settings(max_examples=100, deadline=None)
@given(days)
def test_no_sequence_makes_a_pattern_of_day_trades(taken: list[tuple]) -> None:  # type: ignore[type-arg]
    run = Trader(cash="9000", universe=tuple(CLOSES), account=AccountType.MARGIN, begins=MONDAY, pdt="legacy_pdt")
    run.see(50.0, "BAC")
    for step in taken:
        take(run, step)
    assert not any(count >= 4 and count > D("0.06") * trades for count, trades in windows(run))


def windows(run: Trader) -> list[tuple[int, int]]:
    """Day trades and traded orders in each five business days in which something traded."""
    held: dict[str, Decimal] = defaultdict(Decimal)
    day_trades: dict[int, int] = defaultdict(int)
    traded: dict[int, set[str]] = defaultdict(set)
    entered: dict[tuple[int, str], bool] = {}
    seen: set[tuple[int, str]] = set()
    for record in run.engine.records:
        fill, order = record.fill, record.order
        if fill is None or order is None:
            continue
        day = (record.time - MONDAY) // (86_400 * SECOND)
        before = held[fill.symbol]
        after = before + (fill.qty if fill.side is Side.BUY else -fill.qty)
        held[fill.symbol] = after
        traded[day].add(order.id)
        reduces, opens = (
            (before and abs(after) < abs(before)) or before * after < 0,
            abs(after) > abs(before) or before * after < 0,
        )
        if reduces and entered.pop((day, fill.symbol), False):
            day_trades[day] += 1
        if opens and (day, order.id) not in seen:
            seen.add((day, order.id))
            entered[day, fill.symbol] = True
    first = datetime(2023, 10, 16, tzinfo=UTC)
    business = [day for day in range(70) if (first + timedelta(days=day)).weekday() < 5]
    return [
        (sum(day_trades[day] for day in range(start, end + 1)), sum(len(traded[day]) for day in range(start, end + 1)))
        for start, end in zip(business, business[4:], strict=False)
    ]
