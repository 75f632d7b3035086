"""Each call to a venue is a span and a figure, whoever makes it and in whichever form."""

from __future__ import annotations

import asyncio
import os

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from brokers import observing
from brokers.observing import StreamHealth
from brokers.sim import SimulatedBrokerage
from brokers.threaded import ThreadedBrokerage
from tests.brokers.builders import flat, order
from trading.engine.errors import Fatal, Rejected, Transient, Unknown, Withheld
from trading.engine.orders import Side

OUTCOMES = {
    None: "ok",
    Rejected("no"): "rejected",
    Transient("later"): "transient",
    Withheld("held"): "withheld",
    Unknown("lost"): "unknown",
    TimeoutError(): "unknown",
    Fatal("never"): "fatal",
    RuntimeError("a fault of ours"): "error",
}


class Silent(ThreadedBrokerage):
    """A venue that answers as it is told to, and asks itself on the way."""

    venue = "silent"

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None

    updates_healthy = True

    def recall(self, orders): ...

    def connect(self): ...

    def close(self): ...

    def submit_order(self, order, linked=()):
        if self.error is not None:
            raise self.error

    def replace_order(self, order, by): ...

    def cancel_order(self, order): ...

    def withdraw(self, shown): ...

    def cancel_all(self):
        return len(self.query_open_orders())

    def query_order(self, order): ...

    def query_orders(self, since=None):
        return []

    def query_open_orders(self):
        return self.query_orders()

    def query_fills(self, since):
        return []

    def query_positions(self):
        return []

    def query_account(self): ...


@pytest.fixture
def spans(monkeypatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(observing, "_tracer", provider.get_tracer("a test"))
    return exporter


def told(spans: InMemorySpanExporter) -> list[tuple[str, str]]:
    return [(span.name, span.attributes["broker.venue"]) for span in spans.get_finished_spans()]


def figure(name: str, *labels: str) -> float:
    """A figure as a scrape adds it up from the files of all processes."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=os.environ["PROMETHEUS_MULTIPROC_DIR"])
    samples = [sample for family in registry.collect() for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if set(labels) <= set(sample.labels.values()))


@pytest.mark.parametrize(("error", "outcome"), OUTCOMES.items(), ids=OUTCOMES.values())
def test_a_call_is_counted_by_the_reaction_that_its_outcome_needs(error, outcome):
    venue = Silent()
    venue.error = error
    name = "alphaswarm_broker_calls_total"
    before = figure(name, "silent", "submit_order", outcome)
    try:
        venue.submit_order(order(Side.BUY, 1))
    except Exception as raised:
        assert raised is error
    assert figure(name, "silent", "submit_order", outcome) == before + 1


def test_an_awaited_call_and_what_it_asks_on_its_way_are_one(spans):
    venue = Silent()

    async def ask():
        await venue.cancel_all_async()

    before = figure("alphaswarm_broker_call_seconds_count", "silent")
    asyncio.run(ask())
    assert told(spans) == [("broker.cancel_all", "silent")]
    assert figure("alphaswarm_broker_call_seconds_count", "silent") == before + 1


def test_who_asks_from_outside_by_blocking_calls_is_seen_as_well(spans):
    Silent().query_open_orders()
    assert told(spans) == [("broker.query_open_orders", "silent")]


def test_the_simulated_venue_is_seen_in_sessions_and_costs_a_backtest_nothing(spans):
    async def session() -> None:
        venue = SimulatedBrokerage()
        venue.on_bar(flat(100))
        first = order(Side.BUY, 1)
        await venue.submit_order_async(first)
        await venue.cancel_orders_async([first])

    asyncio.run(session())
    assert told(spans) == [("broker.submit_order", "sim"), ("broker.cancel_order", "sim")]
    SimulatedBrokerage().submit_order(order(Side.BUY, 1))
    assert len(told(spans)) == 2


def test_the_streams_of_sessions_are_told_as_up_or_down_until_they_end():
    name, stream = "alphaswarm_broker_streams", StreamHealth("silent")
    stream.show(True)
    stream.show(True)
    assert (figure(name, "silent", "up"), figure(name, "silent", "down")) == (1, 0)
    stream.show(False)
    assert (figure(name, "silent", "up"), figure(name, "silent", "down")) == (0, 1)
    stream.end()
    assert (figure(name, "silent", "up"), figure(name, "silent", "down")) == (0, 0)


def test_each_time_a_stream_comes_up_is_counted():
    venue = Silent()
    before = figure("alphaswarm_broker_connections_total", "silent")
    venue.came_up()
    venue.came_up()
    assert venue.connections == 2
    assert figure("alphaswarm_broker_connections_total", "silent") == before + 2
