"""An order that a venue changes in place: one order there, two of the run's."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from brokers import known_orders
from brokers.base import Recalled
from brokers.known_orders import KnownOrders
from brokers.sightings import VenueOrder
from tests.brokers.contract import limit
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus, OrderType, Side
from trading.engine.updates import ExternalOrder, OrderUpdate, UpdateKind


class Told:
    """An adapter's knowledge of one order of ten at 90, which the venue calls v-1, and what it tells."""

    def __init__(self) -> None:
        self.updates: list[OrderUpdate | ExternalOrder] = []
        self.known = KnownOrders("venue", self.updates.extend)
        self.old = limit("90")
        self.known.expect(self.old)

    def show(self, price: str, filled: int = 0, state: UpdateKind | None = UpdateKind.ACCEPTED) -> None:
        self.known.see([shown(self.old.client_order_id, price, filled, state)])

    def of(self, order: OrderRecord) -> list[OrderUpdate]:
        return [one for one in self.updates if one.client_order_id == order.client_order_id]

    def kinds(self, order: OrderRecord) -> list[UpdateKind]:
        return [one.kind for one in self.of(order)]

    def filled(self, order: OrderRecord) -> Decimal:
        return sum((one.qty for one in self.of(order)), Decimal(0))


def shown(tag: str, price: str, filled: int, state: UpdateKind | None) -> VenueOrder:
    return VenueOrder(
        client_order_id=tag,
        venue_order_id="v-1",
        state=state,
        terms=OrderRequest(
            symbol="SPY", side=Side.BUY, qty=Decimal(10), type=OrderType.LIMIT, limit_price=Decimal(price)
        ),
        time=1,
        filled_qty=Decimal(filled),
        avg_price=Decimal(90) if filled else Decimal(0),
    )


def test_what_the_old_order_got_before_it_was_known_to_be_replaced_is_cut_from_the_new_one():
    told = Told()
    told.show("90")
    new = limit("91", replaces=told.old.id)
    told.known.replace("v-1", told.old, new)
    told.show("90", 4)
    told.show("91", 4)
    told.show("91", 10, None)

    assert (told.filled(told.old), told.filled(new)) == (4, 6)
    assert told.kinds(told.old) == [UpdateKind.ACCEPTED, UpdateKind.FILL, UpdateKind.REPLACED]
    assert told.kinds(new) == [UpdateKind.ACCEPTED, UpdateKind.FILL, UpdateKind.CANCELLED]
    assert told.of(new)[-1].reason == "4 of it had gone to the order whose place it took"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10)), max_size=12))
def test_however_a_replacement_is_seen_every_fill_is_told_once_and_both_orders_end(glimpses):
    told = Told()
    told.show("90")
    new = limit("91", replaces=told.old.id)
    told.known.replace("v-1", told.old, new)
    for is_new, filled in [*glimpses, (True, 10)]:
        told.show("91" if is_new else "90", filled)

    assert told.filled(told.old) + told.filled(new) == 10
    ends = [told.kinds(told.old)[-1], told.kinds(new)[-1]]
    assert ends in (
        [UpdateKind.REPLACED, UpdateKind.FILL],
        [UpdateKind.REPLACED, UpdateKind.CANCELLED],
        [UpdateKind.FILL, UpdateKind.REJECTED],
    )


def test_new_terms_that_the_venue_never_shows_are_refused_in_the_end(monkeypatch):
    monkeypatch.setattr(known_orders, "REPLACE_SECONDS", -1.0)
    told = Told()
    told.show("90")
    new = limit("91", replaces=told.old.id)
    told.known.replace("v-1", told.old, new)
    told.show("90")

    assert told.kinds(new) == [UpdateKind.REJECTED]
    assert "goes on with the terms" in told.of(new)[0].reason
    assert told.kinds(told.old) == [UpdateKind.ACCEPTED]


def test_an_order_that_ends_before_it_is_replaced_takes_its_successor_along():
    told = Told()
    told.show("90")
    new = limit("91", replaces=told.old.id)
    told.known.replace("v-1", told.old, new)
    told.show("90", 0, UpdateKind.CANCELLED)

    assert told.kinds(new) == [UpdateKind.REJECTED]
    assert told.kinds(told.old) == [UpdateKind.ACCEPTED, UpdateKind.CANCELLED]


def test_a_run_that_goes_on_tells_nothing_of_what_the_order_before_had_got():
    told = Told()
    new = limit("91", replaces=told.old.id, qty="6")
    new.venue_order_id, new.status, new.filled_qty = "v-1", OrderStatus.PARTIALLY_FILLED, Decimal(1)
    told.known.recall([Recalled(new, value=Decimal(450), before=Decimal(4))])
    told.show("91", 5)
    assert told.updates == []
    told.show("91", 10, None)

    assert (told.filled(new), told.of(new)[0].price) == (5, 90)


def test_an_order_of_other_hands_with_a_strange_word_is_shown_with_it():
    told = Told()
    order = shown("theirs", "90", 0, UpdateKind.ACCEPTED)
    terms = {name: getattr(order, name) for name in ("client_order_id", "venue_order_id", "state", "terms", "time")}
    told.known.see([VenueOrder(**terms, reason="the venue says type 'martian'")])

    [external] = [one for one in told.updates if isinstance(one, ExternalOrder)]
    assert external.reason == "placed at venue by other hands; the venue says type 'martian'"
