"""Bars are kept without loss, and with the facts that came of them."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.builders import Trading, new_run
from trading import ledger
from trading.connections import connect
from trading.engine.bars import Bar
from trading.ledger import Append, Chunk, Seen
from trading.ledger.bars import pack, unpack
from trading.models import Run, RunBars

PRICES = st.floats(0, allow_nan=False, allow_infinity=False)
BARS = st.lists(
    st.builds(
        Bar,
        st.sampled_from(["SPY", "BAC", "TWX   031122C00015000"]),
        st.integers(0, 2**62),
        *[PRICES] * 5,
        st.just(0.0) | PRICES,
        st.just(0.0) | PRICES,
    ),
    min_size=1,
    max_size=40,
)


@given(BARS)
def test_what_is_unpacked_is_what_was_packed(bars: list[Bar]) -> None:
    assert list(unpack(pack(bars))) == bars


def test_a_minute_bar_takes_less_than_forty_bytes() -> None:
    bars = [minute(number) for number in range(10)]
    assert len(pack(bars)) < 400


def minute(number: int) -> Bar:
    close = 167.25 + number % 7 / 100
    return Bar("SPY", 1_700_000_000_000_000_000 + number * 60_000_000_000, 167.25, close + 0.04, 167.2, close, 9000.0)


def append(run: Run, first: int, bars: list[Bar], records: list[object] | None = None) -> None:
    with connect() as database:
        ledger.append(database, [Append(run.id, None, records or [], bars=Chunk(first, bars))])


def kept(run: Run) -> list[Bar]:
    with connect() as database:
        return list(ledger.read_bars(database, run.id))


@pytest.mark.django_db(transaction=True)
def test_chunks_are_read_back_as_one_stretch() -> None:
    run = new_run()
    bars = [minute(number) for number in range(30)]
    append(run, 10, bars[10:])
    append(run, 0, bars[:10])
    assert kept(run) == bars
    assert kept(new_run()) == []


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_is_tried_again_keeps_them_once() -> None:
    run = new_run()
    for _ in range(2):
        append(run, 0, [minute(0)])
    assert kept(run) == [minute(0)]


@pytest.mark.django_db(transaction=True)
def test_they_are_kept_with_the_facts_or_not_at_all() -> None:
    run = new_run()
    trading = Trading(run)
    order = trading.order()
    trading.intend(order)
    strange = trading.submit(order)
    with pytest.raises(Exception, match="no intent"):
        append(run, 0, [minute(0)], [strange])
    assert kept(run) == []


@pytest.mark.django_db(transaction=True)
def test_they_are_never_changed_but_may_be_deleted_when_they_are_old() -> None:
    run = new_run()
    append(run, 0, [minute(0)])
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        RunBars.objects.update(count=2)
    RunBars.objects.filter(run=run).delete()
    assert kept(run) == []


@pytest.mark.django_db(transaction=True)
def test_each_knows_its_place_among_the_facts_of_its_run() -> None:
    run = new_run()
    trading = Trading(run)
    one, other = trading.order(), trading.order()
    bars = [minute(number) for number in range(4)]
    with connect() as database:
        (before,) = ledger.append(database, [Append(run.id, None, [trading.intend(one)], bars=Chunk(0, bars[:1], [0]))])
        facts = [trading.submit(one), trading.intend(other)]
        batch = [
            # The first is looked at after an order has left, and the next two bring one fact between them.
            Append(run.id, None, facts, bars=Chunk(1, bars[1:3], [1, 2], [1, 1])),
            Append(run.id, None, [], bars=Chunk(3, [], [], [0])),
            Append(run.id, None, [], bars=Chunk(3, bars[3:], [0])),
        ]
        ledger.append(database, batch)
        assert isinstance(before, int)
        assert list(ledger.read_seen(database, run.id)) == [
            Seen(bars[0], before - 1, before + 1),
            Seen(bars[1], before + 1, before + 1),
            Seen(bars[2], before + 2, before + 2),
            Seen(bars[3], before + 2, None),
        ]
