"""Silence of a live feed counts while the market is open, and never in event time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.engine.builders import Script
from tests.risk.runs import at, made
from trading.engine.bars import to_nanos
from trading.engine.engine import Engine
from trading.engine.records import Kind
from trading.silence import Silence

#: A Tuesday in November: New York opens at 14:30 UTC.
OPEN = to_nanos(datetime(2023, 11, 14, 15, 0, tzinfo=UTC))
BEFORE = to_nanos(datetime(2023, 11, 14, 14, 0, tzinfo=UTC))
JUST_OPENED = to_nanos(datetime(2023, 11, 14, 14, 30, tzinfo=UTC))


def silent(now: int, *, listens: bool = True, **limits: object) -> Engine:
    """A run whose feed told one bar and then nothing for longer than a tenth of a second."""
    machine = made(Script(), {"max_feed_silence_seconds": "0.1", **limits})
    machine.on_bar(at(0, 10.0))

    async def wait() -> None:
        wake = asyncio.Event()
        silence = Silence(machine, wake, lambda: now, listens=listens)
        silence.heard()
        assert silence.effects() == ()
        if listens:
            await asyncio.wait_for(wake.wait(), 5)
        silence.effects()
        silence.close()

    asyncio.run(wait())
    return machine


def test_a_feed_that_is_silent_in_an_open_market_halts_its_run() -> None:
    machine = silent(OPEN)
    assert machine.halted == "max_feed_silence_seconds"
    told, halted = machine.records
    assert (told.kind, halted.kind) == (Kind.FEED_SILENT, Kind.RISK_HALTED)
    assert told.data is not None
    assert told.data["num_bars"] == 1


@pytest.mark.parametrize("now", [BEFORE, JUST_OPENED], ids=["closed", "open for a moment"])
def test_a_market_that_was_closed_meanwhile_is_no_silence(now: int) -> None:
    assert not silent(now).records


def test_in_event_time_there_is_no_silence() -> None:
    assert not silent(OPEN, listens=False).records
