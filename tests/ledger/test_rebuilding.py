"""Whatever a run does, in however many appends, its tables are what a rebuild makes of its events."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ledger.builders import NINE_THIRTY, Step, Trading, a_day_of_trading, interleaved, new_run
from trading import ledger
from trading.connections import connect
from trading.engine.orders import OrderRecord, OrderStatus, Side
from trading.engine.records import Kind
from trading.models import EquityPoint, Fill, LedgerEvent, Order, Position, RiskEvent, Run

pytestmark = pytest.mark.django_db(transaction=True)

PRICES = st.decimals("0.0001", "99999", places=4)
FEES = st.decimals("-1", "20", places=3)
QUANTITIES = st.decimals("0.001", "5000", places=3)
ENDS = st.sampled_from(["filled", "in two", "late", "unknown", "refused", "withheld", "denied", "rejected", "expired"])
ORDERS = st.tuples(
    st.sampled_from(["SPY", "BAC", "BRK.B"]), st.sampled_from(list(Side)), QUANTITIES, PRICES, FEES, ENDS
)


def life(trading: Trading, plan: tuple[str, Side, Decimal, Decimal, Decimal, str]) -> Iterator[Step]:
    symbol, side, qty, price, fee, end = plan
    made: list[OrderRecord] = []

    def introduced(status: OrderStatus, kind: Kind) -> Step:
        def step():
            made.append(trading.order(symbol, side, qty, price))
            data = {"code": "gate"} if status is OrderStatus.DENIED else None
            return trading.step(made[0], status, kind, "gate: closed", data)

        return step

    def turned(status: OrderStatus, reason: str = "", data: dict[str, object] | None = None) -> Step:
        return lambda: trading.step(made[0], status, Kind(f"order.{status}"), reason, data)

    def filled(part: Decimal) -> Step:
        return lambda: trading.fill(made[0], part, price, fee)

    if end == "denied":
        yield introduced(OrderStatus.DENIED, Kind.ORDER_DENIED)
        return
    yield introduced(OrderStatus.INTENDED, Kind.ORDER_INTENDED)
    if end == "withheld":
        yield turned(OrderStatus.DENIED, "kill_engaged: stop", {"code": "kill_engaged", "figure": "1", "limit": None})
        return
    yield turned(OrderStatus.SUBMITTED)
    if end in ("rejected", "expired"):
        yield turned(OrderStatus(end), "the venue says so")
        return
    if end == "unknown":
        yield turned(OrderStatus.UNKNOWN, "timed out")
    yield turned(OrderStatus.ACCEPTED)
    if end == "in two":
        yield filled(qty / 2)
    if end in ("refused", "late"):
        yield turned(OrderStatus.PENDING_CANCEL, "stop")
    if end == "refused":
        data = {"status": OrderStatus.ACCEPTED.value}
        yield lambda: trading.step(made[0], OrderStatus.ACCEPTED, Kind.ORDER_CANCEL_REFUSED, "too late", data)
    if end == "late":
        yield turned(OrderStatus.CANCELLED, "stop")
    yield filled(qty / 2 if end == "in two" else qty)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(ORDERS, max_size=12),
    choices=st.lists(st.integers(0, 5), min_size=1),
    stretches=st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1),
)
def test_any_trading_in_any_stretches_verifies(plans, choices, stretches):
    run = new_run()
    trading = Trading(run)
    facts = interleaved([life(trading, plan) for plan in plans], choices)
    with connect(autocommit=True) as database:
        ledger.append(database, [ledger.Append(run.id, None, [trading.status("running")])])
        turn = 0
        while True:
            length, flush = stretches[turn % len(stretches)]
            records = [record for _, record in zip(range(length), facts, strict=False)]
            if not records:
                break
            points, state = ([trading.point()], trading.state()) if flush else ((), None)
            ledger.append(database, [ledger.Append(run.id, None, records, points, state)])
            turn += 1
        ledger.append(database, [ledger.Append(run.id, None, [trading.ending()])])

    report = ledger.verify(run.id)

    assert report.differences == []
    run.refresh_from_db()
    assert run.cash == trading.portfolio.cash
    assert run.total_pnl == trading.portfolio.equity - run.starting_cash
    assert run.num_fills == trading.fills == run.fills.count()
    for position in run.positions.all():
        assert position.qty == trading.portfolio.positions[position.symbol].qty


def test_a_day_of_trading_fills_every_table_and_verifies():
    run = new_run()
    ledger.append_now(run.id, a_day_of_trading(run), points=[(NINE_THIRTY, Decimal("100000.01"), Decimal(7))])
    for model in (Order, Fill, Position, RiskEvent, EquityPoint, LedgerEvent):
        assert model.objects.filter(run=run).exists(), model
    assert ledger.verify(run.id).ok


def test_an_order_row_tells_where_its_life_ended():
    run = new_run()
    ledger.append_now(run.id, a_day_of_trading(run))
    cancelled = Order.objects.get(run=run, status="cancelled")
    assert (cancelled.reason, cancelled.limit_price, cancelled.filled_qty) == ("the feed ended", Decimal("99.5"), 0)
    assert cancelled.venue_order_id is not None
    denied = RiskEvent.objects.get(run=run, code="buying_power")
    assert (denied.figure, denied.limit) == (Decimal(1_000_000), Decimal("99000.5"))
    assert denied.seq == Order.objects.get(run=run, status="denied").seq


def test_the_last_price_of_a_position_is_its_last_fill_or_a_later_close():
    run = new_run()
    trading = Trading(run)
    ledger.append_now(run.id, trading.filled_order())
    assert Position.objects.get(run=run).last_price == Decimal("101.37")
    trading.portfolio.positions["SPY"].last = 102.5
    ledger.append_now(run.id, [], state=trading.state())
    assert Position.objects.get(run=run).last_price == Decimal("102.5")
    ledger.append_now(run.id, trading.filled_order())
    assert Position.objects.get(run=run).last_price == Decimal("101.37")


def test_a_run_that_goes_on_has_no_end():
    run = new_run()
    trading = Trading(run)
    ledger.append_now(run.id, [trading.status("interrupted", "its owner was lost", ended_at="2024-01-01T00:00:00Z")])
    run.refresh_from_db()
    assert run.ended_at is not None
    ledger.append_now(run.id, [trading.status("running", started_at="2024-01-01T00:00:01Z")])
    run.refresh_from_db()
    assert (run.status, run.reason, run.ended_at) == ("running", "", None)


def test_figures_keep_every_digit():
    starting_cash = Decimal("100000.123456789012345678901")
    run = Run.objects.get(pk=new_run(starting_cash=starting_cash).pk)
    assert run.starting_cash == starting_cash
    assert Run.objects.filter(starting_cash=starting_cash).exists()
    assert not Run.objects.filter(starting_cash__gt=starting_cash).exists()


def test_events_read_back_as_the_records_that_they_were():
    run = new_run()
    records = a_day_of_trading(run)
    ledger.append_now(run.id, records)
    book = ledger.OrderBook()
    with connect() as database:
        rows = database.execute(
            "SELECT kind, payload::text FROM ledger_events WHERE run_id = %s ORDER BY seq", [run.id]
        )
        read = [book.read(kind, text) for kind, text in rows]
    assert [(each.kind, each.time, each.fill, each.reason) for each in read] == [
        (each.kind, each.time, each.fill, each.reason) for each in records
    ]
    assert read[-1].data == {**records[-1].data}
    assert {order.id: order for order in book.orders.values()} == {
        record.order.id: record.order for record in records if record.order
    }
