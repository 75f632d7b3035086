from collections.abc import Iterable
from decimal import Decimal

import pytest

from tests.engine.builders import START, Script, bar, buy, engine, fill, sell, update
from trading.engine.engine import Engine
from trading.engine.orders import OrderRequest
from trading.engine.records import Kind, Record
from trading.engine.risk import Denial
from trading.engine.updates import UpdateKind
from trading.frames import FrameDraft, of_record

CONTRACT = {
    *("start", "bar.received", "signal.emitted", "order.placed", "order.filled", "order.rejected", "order.cancelled"),
    *("equity.update", "risk.halted", "kill.engaged", "done", "error"),
}
REFUSED = Denial(code="buying_power", message="costs 1000, 100 are left", figure=Decimal(1000), limit=Decimal(100))


def frames(records: Iterable[Record]) -> list[FrameDraft]:
    return [frame for record in records for frame in of_record(record)]


def told(records: Iterable[Record]) -> list[tuple[str, str]]:
    return [(frame.stage, frame.message) for frame in frames(records)]


def sent(*requests: OrderRequest) -> Engine:
    machine = engine(Script(requests))
    for effect in machine.on_bar(bar(100.0)):
        machine.on_submitted(effect.order)
    return machine


def test_an_order_is_told_from_signal_to_fill() -> None:
    machine = sent(buy(10))
    (order,) = machine.open_orders()
    machine.on_update(update(UpdateKind.ACCEPTED, order))
    machine.on_update(fill(order, 4, "100.50", "e1", fee="0.10"))
    machine.on_update(fill(order, 6, "101", "e2"))
    shown = frames(machine.records)
    assert [(frame.stage, frame.message) for frame in shown] == [
        ("signal.emitted", "buy"),
        ("order.placed", "buy 10 SPY at market"),
        ("order.filled", "bought 4 SPY at 100.5"),
        ("order.filled", "bought 6 SPY at 101"),
    ]
    for frame in shown:
        assert frame.extras["order_id"] == frame.extras["client_order_id"] == "run-1"
        assert (frame.extras["symbol"], frame.extras["side"]) == ("SPY", "buy")
        assert {"qty", "price"} <= set(frame.extras)
    first = shown[2].extras
    assert (first["qty"], first["price"], first["fee"]) == ("4", "100.5", "0.1")
    assert (first["order_status"], first["position_qty"]) == ("partially_filled", "4")
    assert shown[3].extras["order_status"] == "filled"


def test_an_order_that_closes_the_position_is_flat() -> None:
    machine = engine(Script([buy(10)], [sell(10)]))
    (effect,) = machine.on_bar(bar(100.0))
    machine.on_submitted(effect.order)
    machine.on_update(fill(effect.order, 10, "100", "e1"))
    machine.on_bar(bar(101.0, minute=1))
    assert told(machine.records)[-1] == ("signal.emitted", "flat")


def test_a_denied_order_has_its_signal_first_and_says_why() -> None:
    machine = engine(Script([buy(10)]), check=lambda order, context: REFUSED)
    machine.on_bar(bar(100.0))
    signal, rejected = frames(machine.records)
    assert (signal.stage, signal.message) == ("signal.emitted", "buy")
    assert (rejected.stage, rejected.message) == ("order.rejected", "buying_power: costs 1000, 100 are left")
    assert rejected.extras["code"] == "buying_power"


def test_an_order_withheld_at_the_gate_has_one_signal() -> None:
    machine = engine(Script([buy(10)]))
    (effect,) = machine.on_bar(bar(100.0))
    machine.on_withheld(effect.order, Denial(code="kill_engaged", message="the kill switch is engaged"))
    assert told(machine.records) == [
        ("signal.emitted", "buy"),
        ("order.rejected", "kill_engaged: the kill switch is engaged"),
    ]


@pytest.mark.parametrize(
    ("kind", "stage", "status", "message"),
    [
        (UpdateKind.REJECTED, "order.rejected", "rejected", "no such market"),
        (UpdateKind.CANCELLED, "order.cancelled", "cancelled", "cancelled: no such market"),
        (UpdateKind.EXPIRED, "order.cancelled", "expired", "expired: no such market"),
        (UpdateKind.UNKNOWN, "order.placed", "unknown", "not known whether the venue has it: no such market"),
    ],
)
def test_what_the_venue_says_is_told(kind: UpdateKind, stage: str, status: str, message: str) -> None:
    machine = sent(buy(10, limit="99.50"))
    (order,) = machine.open_orders()
    machine.on_update(update(kind, order, reason="no such market"))
    frame = frames(machine.records)[-1]
    assert (frame.stage, frame.message, frame.extras["order_status"]) == (stage, message, status)
    assert (frame.extras["price"], frame.extras["type"]) == ("99.5", "limit")


def test_a_refused_cancel_is_told_and_never_looks_done() -> None:
    machine = sent(buy(10, limit="99.50"))
    (order,) = machine.open_orders()
    machine.on_update(update(UpdateKind.ACCEPTED, order))
    machine.cancel_open("stop")
    machine.on_update(update(UpdateKind.CANCEL_REFUSED, order, reason="too late"))
    frame = frames(machine.records)[-1]
    assert (frame.stage, frame.message) == ("order.placed", "cancel refused: too late")
    assert frame.extras["order_status"] == "accepted"


def test_halts_and_kills_are_told() -> None:
    machine = sent(buy(10))
    machine.halt("max_daily_loss", "lost 1001, 1000 are allowed")
    (halted,) = frames(machine.records[-1:])
    assert halted == ("risk.halted", "lost 1001, 1000 are allowed", {"code": "max_daily_loss"})
    (killed,) = of_record(Record(Kind.KILL_ENGAGED, START, data={"epoch": 7}))
    assert killed == ("kill.engaged", "kill switch engaged", {"epoch": 7})


def status(name: str, reason: str = "", **columns: object) -> Record:
    return Record(Kind.RUN_STATUS, START, reason=reason, data={"status": name, "reason": reason, **columns})


def test_a_run_starts_and_is_done() -> None:
    assert told([status("running")]) == [("start", "running")]
    assert told([status("draining")]) == []
    (done,) = of_record(
        status("completed", "the feed ended", total_pnl="12.5", num_fills=3, num_bars=390, metrics={"sharpe": 1.2})
    )
    assert (done.stage, done.message) == ("done", "completed: the feed ended")
    assert {name: done.extras[name] for name in ("status", "total_pnl", "num_fills", "num_bars")} == {
        "status": "completed",
        "total_pnl": "12.5",
        "num_fills": 3,
        "num_bars": 390,
    }
    assert (done.extras["result"]["sharpe"], done.extras["result"]["bars"]) == (1.2, 390)


@pytest.mark.parametrize("name", ["failed", "blocked", "interrupted"])
def test_a_run_that_went_wrong_says_so_before_it_is_done(name: str) -> None:
    assert told([status(name, "no metadata")]) == [("error", "no metadata"), ("done", f"{name}: no metadata")]


def test_every_kind_of_record_is_told_within_the_contract() -> None:
    machine = sent(buy(10))
    (order,) = machine.open_orders()
    machine.on_update(fill(order, 10, "100", "e1"))
    filled = machine.records[-1]
    for kind in Kind:
        record = Record(kind, START, reason="why", data={"status": "completed"})
        if kind.startswith("order."):
            record.order, record.fill = order, filled.fill
        for frame in of_record(record):
            assert frame.stage in CONTRACT
            assert not {"stage", "message", "task_id", "timestamp", "seq"} & set(frame.extras)
