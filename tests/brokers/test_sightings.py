from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from brokers.sightings import Sightings, VenueOrder
from trading.engine.orders import OrderRequest, Side
from trading.engine.updates import UpdateKind

TERMS = OrderRequest(symbol="SPY", side=Side.BUY, qty=Decimal(10))


def shown(state=UpdateKind.ACCEPTED, filled="0", price="0", fee="0", time=1) -> VenueOrder:
    return VenueOrder(
        client_order_id="run-1",
        venue_order_id="v-1",
        state=state,
        terms=TERMS,
        time=time,
        filled_qty=Decimal(filled),
        avg_price=Decimal(price),
        fee=Decimal(fee),
    )


def kinds(sightings: Sightings, order: VenueOrder) -> list[UpdateKind]:
    return [update.kind for update in sightings.take(order, "run-1")]


def test_a_fill_is_the_growth_at_the_price_that_explains_the_new_average():
    sightings = Sightings()
    sightings.take(shown(filled="4", price="100", fee="0.10"), "run-1")
    [fill] = sightings.take(shown(filled="10", price="103", fee="0.25"), "run-1")

    # 10 x 103 = 1030 = 400 + 6 x 105
    assert (fill.qty, fill.price, fill.fee) == (Decimal(6), Decimal(105), Decimal("0.15"))


def test_an_order_first_seen_when_it_is_over_tells_its_whole_life():
    assert kinds(Sightings(), shown(UpdateKind.CANCELLED, "4", "100")) == [
        UpdateKind.ACCEPTED,
        UpdateKind.FILL,
        UpdateKind.CANCELLED,
    ]


def test_a_refused_order_was_never_accepted():
    assert kinds(Sightings(), shown(UpdateKind.REJECTED)) == [UpdateKind.REJECTED]


def test_a_fill_that_shows_after_the_end_is_told():
    sightings = Sightings()
    sightings.take(shown(UpdateKind.CANCELLED), "run-1")

    assert kinds(sightings, shown(UpdateKind.CANCELLED, "4", "100")) == [UpdateKind.FILL]


def test_an_average_that_changes_with_no_unit_added_is_a_correction_unless_it_is_old_news():
    sightings = Sightings()
    sightings.take(shown(filled="10", price="100", time=2), "run-1")

    assert sightings.correct(shown(filled="10", price="101", time=1)) == 0
    assert sightings.correct(shown(filled="10", price="101", time=2)) == 0
    assert sightings.correct(shown(filled="10", price="101", time=3)) == 10
    assert sightings.correct(shown(filled="10", price="101", time=4)) == 0
    assert sightings.correct(shown(filled="10", price="100", time=4), for_sure=True) == -10


def test_what_was_corrected_before_a_process_began_is_not_corrected_again():
    sightings = Sightings()
    sightings.know("v-1", Decimal(10), Decimal(1000), Decimal(0))
    first = shown(filled="10", price="101", time=5)

    assert sightings.correct(first) == 0
    sightings.take(first, "run-1")
    assert sightings.correct(shown(filled="10", price="102", time=6)) == 10


LIFE = [shown(), shown(None, "3", "100"), shown(None, "7", "101"), shown(UpdateKind.EXPIRED, "7", "101")]


@given(st.lists(st.sampled_from(LIFE), max_size=12))
def test_however_often_and_in_whatever_order_it_is_seen_each_fact_is_told_once(glimpses):
    sightings = Sightings()
    updates = [update for order in [*glimpses, *LIFE] for update in sightings.take(order, "run-1")]
    fills = [update for update in updates if update.kind is UpdateKind.FILL]

    assert sum(fill.qty for fill in fills) == 7
    assert sum(fill.qty * fill.price for fill in fills) == 707
    assert len({fill.execution_id for fill in fills}) == len(fills)
    assert [update.kind for update in updates].count(UpdateKind.EXPIRED) == 1
    assert updates[0].kind is UpdateKind.ACCEPTED
