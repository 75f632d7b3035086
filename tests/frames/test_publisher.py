import os
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.engine.builders import START, Script, bar, buy, engine, update
from trading import frames
from trading.engine.records import Kind, Record
from trading.engine.updates import UpdateKind
from trading.frames import stages, stream
from trading.frames.publishing import FramePublisher

TASK = "task-1"
SECOND = 1_000_000_000
MakePublisher = Callable[[], FramePublisher]


def messages(run_id: UUID, after: int = 0) -> list[str]:
    return [frame["message"] for frame in frames.read(run_id, after)]


def test_a_frame_has_task_stage_message_time_number_and_extras(publisher: FramePublisher, run_id: UUID) -> None:
    publisher.publish(run_id, TASK, "order.placed", "buy 1 SPY", 1_380_634_200 * SECOND, symbol="SPY", qty="1")
    assert publisher.flush(run_id, 5)
    (frame,) = frames.read(run_id)
    assert frame.pop("emitted_at").endswith("Z")
    assert frame == {
        "seq": 1,
        "task_id": TASK,
        "stage": "order.placed",
        "message": "buy 1 SPY",
        "timestamp": "2013-10-01T13:30:00Z",
        "run_id": str(run_id),
        "symbol": "SPY",
        "qty": "1",
    }


def test_facts_are_shown_in_the_order_in_which_they_were_told(publisher: FramePublisher, run_id: UUID) -> None:
    machine = engine(Script([buy(10, limit="90")]))
    for effect in machine.on_bar(bar(100.0)):
        machine.on_submitted(effect.order)
    (order,) = machine.open_orders()
    machine.on_update(update(UpdateKind.ACCEPTED, order))
    machine.records.append(Record(Kind.KILL_ENGAGED, START, data={"epoch": 3}))
    machine.on_update(update(UpdateKind.CANCELLED, order, reason="too late"))
    for record in machine.records:
        publisher.publish_record(run_id, TASK, record)
    assert publisher.flush(run_id, 5)
    shown = frames.read(run_id)
    assert [(frame["seq"], frame["stage"]) for frame in shown] == [
        (1, "signal.emitted"),
        (2, "order.placed"),
        (3, "kill.engaged"),
        (4, "order.cancelled"),
    ]
    assert (shown[3]["order_id"], shown[3]["reason"]) == (order.id, "too late")


def test_extras_that_json_cannot_hold_never_cost_the_frame(publisher: FramePublisher, run_id: UUID) -> None:
    endless: list[object] = []
    endless.append(endless)
    publisher.publish(run_id, TASK, "order.placed", "one", deep=endless)
    publisher.publish(run_id, TASK, "order.placed", "two", price=Decimal("1.50"), odd=float("nan"), task_id="another")
    assert publisher.flush(run_id, 5)
    first, second = frames.read(run_id)
    assert first["message"] == "one" and "unreadable_extras" in first
    assert (second["price"], second["odd"], second["task_id"]) == ("1.50", None, TASK)


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(st.tuples(st.sampled_from(["bar.received", "equity.update", "order.filled"]), st.booleans())))
def test_numbers_have_no_holes_and_order_is_kept(publisher: FramePublisher, said: list[tuple[str, bool]]) -> None:
    run_id = uuid4()
    for number, (stage, flush) in enumerate(said):
        publisher.publish(run_id, TASK, stage, str(number))
        if flush:
            publisher.flush(run_id, 5)
    publisher.publish(run_id, TASK, "done", str(len(said)))
    assert publisher.flush(run_id, 5)
    shown = frames.read(run_id)
    assert [frame["seq"] for frame in shown] == list(range(1, len(shown) + 1))
    order = [int(frame["message"]) for frame in shown]
    assert order == sorted(order)
    durable = [number for number, (stage, _) in enumerate(said) if stage == "order.filled"]
    assert [int(frame["message"]) for frame in shown if frame["stage"] == "order.filled"] == durable
    for stage in stages.MERGED:
        last = [str(number) for number, (one, _) in enumerate(said) if one == stage][-1:]
        assert [frame["message"] for frame in shown if frame["stage"] == stage][-1:] == last


def test_a_flood_of_bars_is_merged_and_orders_are_not(publisher: FramePublisher, run_id: UUID) -> None:
    for number in range(8_000):
        publisher.publish(run_id, TASK, "bar.received", str(number), symbol="SPY")
        if number % 10 == 0:
            publisher.publish(run_id, TASK, "order.filled", str(number))
    publisher.publish(run_id, TASK, "done", "end")
    assert publisher.flush(run_id, 10)
    shown = frames.read(run_id, limit=10_000)
    assert [frame["message"] for frame in shown if frame["stage"] == "order.filled"] == [
        str(number) for number in range(0, 8_000, 10)
    ]
    bars = [frame for frame in shown if frame["stage"] == "bar.received"]
    assert len(bars) < 100
    assert bars[-1]["message"] == "7999"


def test_no_symbol_hides_another(publisher: FramePublisher, run_id: UUID) -> None:
    for symbol in ("SPY", "BAC", "QQQ"):
        publisher.publish(run_id, TASK, "bar.received", symbol, symbol=symbol)
    assert publisher.flush(run_id, 5)
    assert messages(run_id) == ["SPY", "BAC", "QQQ"]


def test_numbering_goes_on_after_a_restart(make_publisher: MakePublisher, run_id: UUID) -> None:
    first = make_publisher()
    first.publish(run_id, TASK, "order.placed", "before")
    first.close()
    second = make_publisher()
    second.publish(run_id, TASK, "order.placed", "after")
    assert second.flush(run_id, 5)
    assert [(frame["seq"], frame["message"]) for frame in frames.read(run_id)] == [(1, "before"), (2, "after")]


def test_two_writers_of_a_run_never_take_the_same_number(make_publisher: MakePublisher, run_id: UUID) -> None:
    writers = [make_publisher(), make_publisher()]
    for number in range(20):
        writers[number % 2].publish(run_id, TASK, "order.placed", str(number))
        assert writers[number % 2].flush(run_id, 5)
    assert messages(run_id) == [str(number) for number in range(20)]


def test_numbering_goes_on_after_everything_was_flushed(
    publisher: FramePublisher, run_id: UUID, server: redis.Redis
) -> None:
    publisher.publish(run_id, TASK, "order.placed", "one")
    assert publisher.flush(run_id, 5)
    server.flushall()
    publisher.publish(run_id, TASK, "order.placed", "two")
    assert publisher.flush(run_id, 5)
    (frame,) = frames.read(run_id, after=1)
    assert (frame["seq"], frame["message"]) == (2, "two")


def test_a_batch_whose_answer_was_lost_is_not_written_twice(server: redis.Redis, run_id: UUID) -> None:
    batch = [("order.placed", b'{"message":"one"}', False), ("done", b'{"message":"two"}', True)]
    arguments = stream.write_arguments(run_id, "writer-1", 0, 0, batch)
    assert [server.execute_command("EVAL", *arguments) for _ in range(2)] == [2, 2]
    assert messages(run_id) == ["one", "two"]
    assert server.xlen(stream.CONTROL_KEY) == 1


@pytest.fixture
def cut_off(server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[FramePublisher]:
    """A publisher whose Redis does not answer, until `reconnect`."""
    monkeypatch.setattr("trading.frames.publishing.RETRY_SECONDS", 0.02)
    publisher = FramePublisher("redis://127.0.0.1:1/0")
    yield publisher
    publisher.close()


def reconnect(publisher: FramePublisher) -> None:
    publisher._redis = redis.Redis.from_url(settings.REDIS_URL)


def test_what_is_said_while_redis_is_away_is_delivered_when_it_is_back(
    cut_off: FramePublisher, run_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        cut_off.publish(run_id, TASK, "order.placed", str(number))
        cut_off.publish(run_id, TASK, "equity.update", str(number))
    assert not cut_off.flush(run_id, 0.2)
    reconnect(cut_off)
    assert cut_off.flush(run_id, 5)
    shown = frames.read(run_id)
    assert [f["message"] for f in shown if f["stage"] == "order.placed"] == [str(number) for number in range(50)]
    assert [f["message"] for f in shown if f["stage"] == "equity.update"][-1] == "49"
    assert len([record for record in caplog.records if "wait for Redis" in record.message]) == 1


def test_frames_beyond_the_buffer_leave_a_gap_that_is_told(
    cut_off: FramePublisher, run_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.frames.publishing.HELD_OF_RUN", 10)
    for number in range(100):
        cut_off.publish(run_id, TASK, "order.placed", str(number))
    reconnect(cut_off)
    assert cut_off.flush(run_id, 5)
    shown = frames.read(run_id)
    assert [frame["message"] for frame in shown][-10:] == [str(number) for number in range(90, 100)]
    assert sum(frame.get("skipped", 0) for frame in shown) == 100 - len(shown) > 0
    assert shown[-1]["seq"] == 100


def test_a_forked_child_has_a_publisher_of_its_own(server: redis.Redis, run_id: UUID) -> None:
    parent = frames.publisher()
    parent.publish(run_id, TASK, "order.placed", "parent")
    assert parent.flush(run_id, 5)
    child = os.fork()
    if child == 0:
        mine = frames.publisher()
        mine.publish(run_id, TASK, "order.placed", "child")
        os._exit(0 if mine is not parent and mine.flush(run_id, 5) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert messages(run_id) == ["parent", "child"]


def test_a_hold_that_is_asked_for_while_one_is_under_way_counts(publisher: FramePublisher, run_id: UUID) -> None:
    publisher.hold(0.05)
    publisher.publish(run_id, TASK, "kill.engaged", "stop")
    time.sleep(0.02)
    publisher.hold(0.2)
    held = time.monotonic()
    assert publisher.flush(run_id, 30)
    assert time.monotonic() - held >= 0.2
