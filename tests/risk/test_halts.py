"""Scoped halts as senders of orders read them: the file beside the gate, and what it makes of an order."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.gate import OrderGate
from risk.gate_file import GateFile
from risk.halts import Halt, Halts, HaltsFile, Scope
from risk.watch import GateWatcher
from tests.risk.waiting import eventually
from trading.engine.orders import OrderRecord, OrderType, Side, TimeInForce

SYMBOL = ("symbol", "AAPL", "news")
PLACE = {Scope.ACCOUNT: "alpaca-paper", Scope.BOT: "momo", Scope.RUN: "7"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gate"


def say(path: Path, epoch: int) -> OrderGate:
    GateFile(path).write(1, False, time.monotonic_ns(), halts_epoch=epoch)
    return OrderGate(path)


def halts(*given: tuple[str, str, str]) -> Halts:
    return Halts(1, tuple(Halt(Scope(scope), target, reason) for scope, target, reason in given))


def order(symbol: str = "AAPL", collateral: int = 100) -> OrderRecord:
    return OrderRecord(
        id="7-1",
        client_order_id="7-1",
        symbol=symbol,
        side=Side.BUY,
        qty=Decimal(1),
        type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        limit_price=None,
        created_at=0,
        signal="buy",
        collateral=Decimal(collateral),
    )


def test_a_gate_that_never_heard_of_a_halt_needs_no_file(path: Path) -> None:
    assert say(path, 0).halts() == Halts()


def test_the_halts_of_the_gates_epoch_are_read(path: Path) -> None:
    HaltsFile(path).write(3, [SYMBOL])
    found = say(path, 3).halts()
    assert found is not None
    assert (found.epoch, found.halts) == (3, (Halt(Scope.SYMBOL, "AAPL", "news"),))


def test_they_are_read_again_only_when_the_epoch_differs(path: Path) -> None:
    file = HaltsFile(path)
    file.write(3, [SYMBOL])
    gate = say(path, 3)
    first = gate.halts()
    (path.parent / "halts").unlink()
    assert gate.halts() is first
    say(path, 4)
    assert gate.halts() is None
    file.write(4, [])
    assert gate.halts() == Halts(4)


def test_a_file_that_is_newer_than_the_gate_counts(path: Path) -> None:
    HaltsFile(path).write(4, [SYMBOL])
    found = say(path, 3).halts()
    assert found is not None
    assert found.epoch == 4


def test_a_file_that_is_older_than_the_gate_tells_nothing(path: Path) -> None:
    HaltsFile(path).write(2, [])
    assert say(path, 3).halts() is None


@pytest.mark.parametrize("content", [b"", b"\n", b"no checksum", b'00000000\n{"epoch":9,"halts":[]}', b"\xff\n\xff"])
def test_a_foreign_file_tells_nothing(path: Path, content: bytes) -> None:
    (path.parent / "halts").write_bytes(content)
    assert say(path, 3).halts() is None


def test_a_torn_file_tells_nothing(path: Path) -> None:
    HaltsFile(path).write(3, [SYMBOL])
    whole = (path.parent / "halts").read_bytes()
    for length in range(len(whole)):
        (path.parent / "halts").write_bytes(whole[:length])
        assert say(path, 3).halts() is None


def test_a_missing_file_and_a_missing_gate_tell_nothing(path: Path) -> None:
    assert OrderGate(path).halts() is None
    assert say(path, 1).halts() is None


def test_the_writer_sees_that_its_file_was_touched(path: Path) -> None:
    file = HaltsFile(path)
    assert not file.holds(1)
    file.write(1, [SYMBOL])
    assert file.holds(1)
    assert not file.holds(2)
    (path.parent / "halts").unlink()
    assert not file.holds(1)


@pytest.mark.parametrize(("scope", "target"), [("account", "alpaca-paper"), ("bot", "momo"), ("run", "7")])
def test_nothing_of_a_run_leaves_whose_place_is_halted(scope: str, target: str) -> None:
    denial = halts((scope, target, "too fast")).refusal(order(collateral=0), PLACE)
    assert denial is not None
    assert (denial.code, denial.message) == ("halted", f"{scope} {target} is halted: too fast")


def test_in_a_halted_symbol_only_what_reduces_leaves() -> None:
    found = halts(SYMBOL)
    assert found.refusal(order(), PLACE) is not None
    assert found.refusal(order(collateral=0), PLACE) is None
    assert found.refusal(order("MSFT"), PLACE) is None


@pytest.mark.parametrize(
    ("halted", "traded", "is_halted"),
    [
        ("AAPL", "AAPL.NASDAQ", True),
        ("AAPL.NASDAQ", "AAPL", True),
        ("AAPL.NASDAQ", "AAPL.NYSE", False),
        ("AAPL", "AAPL250117C00150000", True),
        ("AAPL250117C00150000", "AAPL", False),
        ("BTC/USD", "BTC/USD", True),
        ("BTCUSD", "BTC/USD", True),
        ("BRK-B", "BRK.B.NYSE", True),
    ],
)
def test_a_ticker_without_a_venue_is_that_of_any_and_an_option_goes_with_its_underlying(
    halted: str, traded: str, is_halted: bool
) -> None:
    assert (halts(("symbol", halted, "x")).of_symbol(traded) is not None) is is_halted


CHANGES = st.lists(st.tuples(st.sampled_from([*Scope]), st.sampled_from("abc"), st.booleans()), max_size=12)


@given(CHANGES)
def test_whatever_was_halted_and_released_a_reader_knows_exactly_what_stands(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[Scope, str, bool]]
) -> None:
    path = tmp_path_factory.mktemp("gate") / "gate"
    record, file, gate = GateFile(path), HaltsFile(path), OrderGate(path)
    record.write(1, False, time.monotonic_ns())
    standing: set[tuple[Scope, str]] = set()
    for epoch, (scope, target, engage) in enumerate(changes, 1):
        (standing.add if engage else standing.discard)((scope, target))
        file.write(epoch, [(*one, "x") for one in sorted(standing)])
        early = gate.halts()
        assert early is not None
        assert early.epoch in (epoch - 1, epoch)
        record.write(1, False, time.monotonic_ns(), halts_epoch=epoch)
        known = gate.halts()
        assert known is not None
        assert {(halt.scope, halt.target) for halt in known.halts} == standing


def test_the_watcher_tells_of_halts_and_of_a_kill_that_comes_to_flatten(path: Path) -> None:
    watcher, told = GateWatcher(path), []
    watcher.subscribe(lambda epoch, engaged: told.append((epoch, engaged)))
    file = GateFile(path)
    news = [
        {"epoch": 1, "engaged": False},
        {"epoch": 1, "engaged": False, "halts_epoch": 1},
        {"epoch": 2, "engaged": True, "halts_epoch": 1},
        {"epoch": 2, "engaged": True, "halts_epoch": 1, "flatten": True},
    ]
    for number, one in enumerate(news, 1):

        def heard(one: dict[str, int | bool] = one, number: int = number) -> bool:
            file.write(stamp=time.monotonic_ns(), **one)
            return len(told) == number

        eventually(heard)
    watcher.close()
    assert told == [(1, False), (1, False), (2, True), (2, True)]


def test_reading_the_halts_costs_microseconds(path: Path) -> None:
    HaltsFile(path).write(3, [SYMBOL])
    gate = say(path, 3)
    gate.halts()
    started = time.perf_counter()
    for _ in range(10_000):
        gate.halts()
    microseconds = (time.perf_counter() - started) * 100
    print(f"reading the halts: {microseconds:.2f} us")
    assert microseconds < 50
