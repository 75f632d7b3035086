"""Every term of an order, what the venue did by itself, and money without a fill come through the ledger whole."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.engine.builders import START, Script, bar, buy, engine, fill, sell, update
from tests.ledger.builders import new_run
from trading import ledger
from trading.engine.engine import Engine
from trading.engine.linked import bracket
from trading.engine.orders import OrderRequest, OrderType, ReplaceRequest, Side, TimeInForce
from trading.engine.records import Kind, Record, ledger_hash, plain
from trading.engine.updates import CashUpdate, ExternalOrder, UpdateKind
from trading.ledger.events import OrderBook, encode
from trading.rows import order_row

D = Decimal
CALL = "TWX140621C00070000"


def told() -> Engine:
    """A run in which all of it happens."""
    entry = OrderRequest(
        symbol="SPY",
        side=Side.BUY,
        qty=D(10),
        type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTD,
        stop_price=D("101.5"),
        limit_price=D(102),
        expires_at=START + 10**15,
        extended_hours=True,
    )
    trail = OrderRequest(symbol="SPY", side=Side.SELL, qty=D(1), type=OrderType.TRAILING_STOP, trail_percent=D("2.5"))
    option = buy(2, CALL)
    steps = [bracket(entry, D(110), D(95)), trail, option], [ReplaceRequest(order_id="run-3", stop_price=D(97))]
    machine = engine(Script([], *steps), universe=("SPY", CALL))
    machine.on_bar(bar(1.5, symbol=CALL))
    for minute in (1, 2):
        for effect in machine.on_bar(bar(100.0, minute=minute)):
            orders = (effect.by,) if hasattr(effect, "by") else (effect.order, *effect.linked)
            machine.on_submitted(*orders)
            for order in orders:
                machine.on_update(update(UpdateKind.ACCEPTED, order, venue_order_id=f"v-{order.id}"))
    machine.on_update(update(UpdateKind.REPLACED, "run-3", minute=3))
    machine.on_update(fill("run-5", 2, "1.5", "e1", fee="1.3"))
    machine.on_update(CashUpdate("dividend", D("7.25"), START + 1, "SPY"))
    machine.on_update(ExternalOrder("run-5-x1", START + 2, sell(2, CALL), "v9", "exercised at expiry"))
    machine.on_update(fill("run-5-x1", 2, "3.25", "e2"))
    return machine


def test_records_read_back_as_they_were_written():
    machine = told()
    book, again = OrderBook(), []
    for record in machine.records:
        event = encode(record)
        again.append(book.read(event.kind, event.text))
    assert ledger_hash(again) == ledger_hash(machine.records)
    for order_id, order in machine.orders.items():
        written = msgspec.structs.replace(order, before_cancel=book.orders[order_id].before_cancel)
        assert msgspec.structs.replace(book.orders[order_id], reason=written.reason) == written


def test_a_plain_orders_payload_names_no_term_that_it_does_not_have():
    machine = engine(Script([buy(1)]))
    machine.on_bar(bar(100.0))
    (record,) = machine.records
    assert set(encode(record).payload["order"]) == {
        "id", "client_order_id", "symbol", "side", "qty", "type", "time_in_force", "limit_price", "created_at",
        "signal", "collateral",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "others"),
    [
        ({"type": OrderType.STOP, "stop_price": D(90)}, {"stop_price": D(91)}),
        ({"type": OrderType.TRAILING_STOP, "trail_amount": D(1)}, {"trail_amount": D(2)}),
        ({"time_in_force": TimeInForce.GTD, "expires_at": START + 5}, {"expires_at": START + 6}),
        ({}, {"reduce_only": True}),
        ({}, {"extended_hours": True}),
    ],
)
def test_other_terms_make_another_hash(terms, others):
    hashes = set()
    for given in (terms, {**terms, **others}):
        machine = engine(Script([OrderRequest(symbol="SPY", side=Side.SELL, qty=D(1), **given)]))
        machine.on_bar(bar(100.0))
        hashes.add(ledger_hash(machine.records))
    assert len(hashes) == 2


def test_other_money_makes_another_hash():
    hashes = set()
    for amount in ("1", "2"):
        machine = engine(Script())
        machine.on_update(CashUpdate("interest", D(amount), START))
        hashes.add(ledger_hash(machine.records))
    assert len(hashes) == 2


@pytest.mark.django_db(transaction=True)
def test_the_tables_hold_every_term_and_the_figures_are_right_a_second_way():
    run, machine = new_run(), told()
    equity = machine.equity
    figures = {
        "status": "completed",
        "cash": plain(machine.cash),
        "final_equity": plain(equity),
        "total_pnl": plain(equity - 100_000),
        "num_fills": 2,
        "prices": {symbol: repr(held.last) for symbol, held in machine.portfolio.positions.items()},
    }
    ledger.append_now(run.id, machine.records)
    ledger.append_now(run.id, [Record(Kind.RUN_STATUS, START + 3, data=figures)])
    report = ledger.verify(run.id)
    assert report.ok, report.differences
    # 2 x 100 x (3.25 - 1.5) - 1.3 in fees + 7.25 of dividend.
    assert equity == 100_000 + 350 - D("1.3") + D("7.25")
    rows = {order.id: order_row(order) for order in run.orders.all()}
    entry, trail, external = rows["run-1"], rows["run-4"], rows["run-5-x1"]
    assert (entry["stop_price"], entry["limit_price"], entry["extended_hours"]) == ("101.5", "102", True)
    assert entry["expires_at"] is not None
    assert (rows["run-2"]["parent_id"], rows["run-2"]["group_id"], rows["run-2"]["reduce_only"]) == (
        "run-1", "run-2", True,
    )  # fmt: skip
    assert (rows["run-3"]["status"], rows["run-6"]["replaces"], rows["run-6"]["stop_price"]) == (
        "replaced", "run-3", "97",
    )  # fmt: skip
    assert trail["trail_percent"] == "2.5"
    assert (external["external"], external["venue_order_id"], external["status"]) == (True, "v9", "filled")
