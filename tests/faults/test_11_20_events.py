"""What a venue says twice, too late, too early, in the wrong order, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.base import VenuePosition
from tests.engine.builders import START, Script, bar, buy, engine, fill, update
from tests.trading.sessions import LOW, Gatehouse, Venue, feed_of, minutes, row, run, session
from trading import ledger
from trading.engine.engine import Engine
from trading.engine.orders import OrderRecord
from trading.engine.updates import CashUpdate, OrderUpdate, UpdateKind
from trading.models import Run

in_database = pytest.mark.django_db(transaction=True)

ACCEPTED, CANCELLED = UpdateKind.ACCEPTED, UpdateKind.CANCELLED


class Silent(Venue):
    """A venue that says of an order nothing but what the test has it say."""

    async def submit_order_async(self, order: OrderRecord, linked: Sequence[OrderRecord] = ()) -> None:
        pass

    async def cancel_orders_async(self, orders: Sequence[OrderRecord]) -> Sequence[BaseException | None]:
        for order in orders:
            self.say(update(CANCELLED, order))
        return [None] * len(orders)

    async def query_positions_async(self) -> list[VenuePosition]:
        return []


def after(house: Gatehouse, *said: tuple[UpdateKind, str], waits: bool = False) -> Run:
    """A run that sent one order of two shares, of which its venue then said all this: kinds, and executions of one.

    Its feed ends thereafter, or ``waits``.
    """
    venue = Silent()

    def speak() -> None:
        for kind, execution in said:
            name = f"{made.run_id.hex}-1"
            venue.say(fill(name, 1, LOW, execution) if kind is UpdateKind.FILL else update(kind, name))

    made = session(
        house,
        Script([buy(2, limit=LOW)]),
        lambda wake: feed_of(minutes(1), then=speak, waits=waits)(wake),
        brokerage=venue,
    )
    run(made)
    assert ledger.verify(made.run_id).ok
    return row(made)


def booked(found: Run) -> tuple[str, Decimal, list[str]]:
    """The order's state, what is held, and the executions in the ledger."""
    held = sum((position.qty for position in found.positions.all()), Decimal(0))
    executions = list(found.fills.order_by("seq").values_list("venue_execution_id", flat=True))
    return found.orders.get().status, held, executions


FILL = UpdateKind.FILL


@in_database
def test_11_a_fill_told_three_times_is_one_row(house: Gatehouse) -> None:
    found = after(house, (ACCEPTED, ""), (FILL, "e1"), (FILL, "e1"), (FILL, "e1"))
    assert booked(found) == ("cancelled", 1, ["e1"])


@in_database
def test_12_a_fill_before_its_acknowledgement_is_booked_in_the_right_order(house: Gatehouse) -> None:
    found = after(house, (FILL, "e1"), (ACCEPTED, ""), (FILL, "e2"))
    assert booked(found) == ("filled", 2, ["e1", "e2"])
    assert not found.events.filter(kind="order.accepted").exists()


@in_database
def test_14_an_overfill_is_booked_and_halts(house: Gatehouse) -> None:
    found = after(house, (ACCEPTED, ""), (FILL, "e1"), (FILL, "e2"), (FILL, "e3"), waits=True)
    assert booked(found) == ("filled", 3, ["e1", "e2", "e3"])
    assert found.status == "halted"


@in_database
def test_15_a_fill_after_the_cancel_is_booked(house: Gatehouse) -> None:
    found = after(house, (ACCEPTED, ""), (CANCELLED, ""), (FILL, "e1"))
    assert booked(found) == ("cancelled", 1, ["e1"])


@in_database
def test_15_a_fill_after_the_kill_is_booked(house: Gatehouse) -> None:
    class Racing(Silent):
        async def cancel_orders_async(self, orders: Sequence[OrderRecord]) -> Sequence[BaseException | None]:
            for order in orders:
                self.say(fill(order, 2, LOW, "e1"))
            return [None] * len(orders)

    venue = Racing()

    def kill() -> None:
        house.engaged = True

    feed = feed_of(minutes(1), then=kill, waits=True)
    made = session(house, Script([buy(2, limit=LOW)]), feed, brokerage=venue)
    assert run(made).status == "killed"
    assert booked(row(made)) == ("filled", 2, ["e1"])


@in_database
def test_16_a_correction_is_an_entry_of_its_own_and_the_fill_stays_as_it_was(house: Gatehouse) -> None:
    venue = Venue()

    def correct() -> None:
        venue.say(CashUpdate("correction", Decimal("-3.50"), START, "SPY", "execution e1 corrected by e2"))

    feed = feed_of(minutes(3), then=correct)
    made = session(house, Script([buy(2)]), feed, brokerage=venue)
    run(made)
    found = row(made)
    [fill] = found.fills.all()
    [entry] = found.events.filter(kind="cash")
    assert (fill.qty, fill.price) == (2, 101)
    assert entry.payload["data"]["amount"] == "-3.5"
    assert found.cash == found.starting_cash - 2 * 101 - Decimal("3.50")
    assert ledger.verify(made.run_id).ok


@pytest.mark.parametrize(
    ("qty", "price"), [("NaN", "50"), ("1", "NaN"), ("-1", "50"), ("1", "-50"), ("0", "50"), ("Infinity", "50")]
)
def test_18_a_fill_of_what_is_no_figure_is_refused_and_books_nothing(qty: str, price: str) -> None:
    made, name = with_an_order()
    with pytest.raises(ValueError, match="cannot be"):
        made.on_update(fill(name, qty, price, "e1"))
    assert (made.portfolio.cash, made.portfolio.positions["SPY"].qty) == (100_000, 0)


def test_18_a_fill_of_a_size_that_nobody_has_is_refused_and_books_nothing() -> None:
    made, name = with_an_order()
    with pytest.raises(ValueError, match="cannot be"):
        made.on_update(fill(name, "1e308", "1e308", "e1"))
    assert made.portfolio.cash == 100_000


def with_an_order() -> tuple[Engine, str]:
    made = engine(Script([buy(2, limit=LOW)]))
    [effect] = made.on_bar(bar(100.0))
    made.on_submitted(effect.order)  # type: ignore[union-attr]
    return made, effect.order.client_order_id  # type: ignore[union-attr]


STORIES = [
    ["accepted", "e1", "e2"],
    ["accepted", "e1", "cancelled"],
    ["accepted", "cancelled"],
    ["accepted", "e1", "expired"],
]


def some_of_it_twice(story: list[str]) -> st.SearchStrategy[tuple[list[str], list[str]]]:
    """A story, and a telling of it in any order with some of it told again."""
    told = st.lists(st.sampled_from(story), max_size=6).flatmap(lambda again: st.permutations(story + again))
    return told.map(lambda words: (story, words))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(STORIES).flatmap(some_of_it_twice))
def test_19_whatever_is_told_twice_or_out_of_order_comes_to_the_same(told: tuple[list[str], list[str]]) -> None:
    story, words = told
    assert state_after(words) == state_after(story)


def state_after(told: Sequence[str]) -> tuple[object, ...]:
    made, name = with_an_order()
    for word in told:
        made.on_update(spoken(word, name))
    order = made.orders[name]
    return order.status, order.filled_qty, made.portfolio.cash, made.portfolio.positions["SPY"].qty, made.halted


def spoken(word: str, name: str) -> OrderUpdate:
    return fill(name, 1, LOW, word) if word in ("e1", "e2") else update(UpdateKind(word), name)


@in_database
def test_20_positions_that_cannot_be_asked_for_are_not_taken_for_flat(house: Gatehouse) -> None:
    class Mute(Venue):
        async def query_positions_async(self) -> list[VenuePosition]:
            raise TimeoutError("no answer")

    def done() -> None:
        pass

    made = session(house, Script([buy(2)]), feed_of(minutes(3), then=done), brokerage=Mute())
    summary = asyncio.run(made.run())
    assert summary.fills == 1
    assert "no answer" in summary.reason
    assert "holds 0" not in summary.reason
    assert row(made).positions.get().qty == 2
