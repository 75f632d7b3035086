"""What holds at the simulated venue whatever is asked of it, on whatever bars."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.brokers.builders import MINUTE, Venue, bar, order
from trading.engine.bars import Bar, price_of
from trading.engine.calendars import calendar_of
from trading.engine.orders import OrderRecord, OrderType, Side, TimeInForce
from trading.engine.updates import ExternalOrder, OrderUpdate, UpdateKind

ZERO = Decimal(0)
ENDS = {UpdateKind.CANCELLED, UpdateKind.EXPIRED, UpdateKind.REPLACED, UpdateKind.REJECTED}
cents = st.integers(9_000, 11_000)


@dataclass
class Step:
    """One bar and what is asked for at its close."""

    bar: Bar
    orders: list[tuple[OrderRecord, list[OrderRecord]]]
    cancel: int
    replace: int


def priced(draw: st.DrawFn, kind: OrderType) -> dict[str, Any]:
    terms: dict[str, Any] = {}
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        terms["limit_price"] = Decimal(draw(cents)) / 100
    if kind in (OrderType.STOP, OrderType.STOP_LIMIT):
        terms["stop_price"] = Decimal(draw(cents)) / 100
    if kind is OrderType.TRAILING_STOP:
        terms["trail_amount"] = Decimal(draw(st.integers(1, 500))) / 100
    return terms


@st.composite
def any_order(draw: st.DrawFn, made: int, **terms: Any) -> OrderRecord:
    tif = draw(st.sampled_from(TimeInForce))
    auction = tif in (TimeInForce.OPG, TimeInForce.CLS)
    kind = draw(st.sampled_from([OrderType.MARKET, OrderType.LIMIT] if auction else list(OrderType)))
    if tif is TimeInForce.GTD:
        terms["expires_at"] = made + draw(st.integers(1, 10**13))
    return order(
        draw(st.sampled_from(Side)),
        terms.pop("qty", None) or draw(st.integers(1, 300)),
        kind,
        created_at=made,
        time_in_force=tif,
        reduce_only=draw(st.booleans()),
        extended_hours=draw(st.booleans()),
        **priced(draw, kind),
        **terms,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    steps, minute = [], 0
    for _ in range(draw(st.integers(1, 12))):
        minute += draw(st.sampled_from([1, 1, 1, 2, 200, 1440]))
        low, first, last, high = sorted(draw(st.tuples(cents, cents, cents, cents)))
        if draw(st.booleans()):
            first, last = last, first
        quote = {"bid": (last - 5) / 100, "ask": (last + 5) / 100} if draw(st.integers(0, 4)) == 0 else {}
        one = bar(
            first / 100, high / 100, low / 100, last / 100, minute, volume=draw(st.integers(0, 4_000)) / 1, **quote
        )
        wanted = []
        for _ in range(draw(st.integers(0, 2))):
            lead = draw(any_order(one.time))
            linked = [draw(any_order(one.time, qty=lead.qty)) for _ in range(draw(st.integers(0, 1)))]
            linked += [
                draw(any_order(one.time, qty=lead.qty, parent_id=lead.id)) for _ in range(draw(st.integers(0, 2)))
            ]
            wanted.append((lead, linked))
        steps.append(Step(one, wanted, draw(st.integers(-3, 5)), draw(st.integers(-3, 5))))
    return steps


venues = st.fixed_dictionaries(
    {
        "fill": st.sampled_from(["next_open", "same_close"]),
        "slippage": st.sampled_from([None, {"bps": 3}, {"spread": "0.03"}, {"volume_share": "0.1", "impact": "0.1"}]),
        "fees": st.sampled_from([None, {"per_order": 1, "us_regulatory": True}]),
        "latency_ms": st.sampled_from([0, 0, 500]),
        "hours": st.sampled_from(["any", "regular"]),
        "account": st.sampled_from(["unlevered", "margin"]),
        "interest": st.sampled_from([None, {"credit": 3, "debit": 9}]),
    }
)


class Played:
    """A history played through a venue, and what may be said of it."""

    def __init__(self, steps: list[Step], kwargs: dict[str, Any]) -> None:
        self.venue = Venue(starting_cash=20_000, **kwargs)
        self.orders: dict[str, OrderRecord] = {}
        self.bars: dict[int, Bar] = {}
        for step in steps:
            self.bars[step.bar.time] = step.bar
            self.venue.see(step.bar)
            for lead, linked in step.orders:
                self.orders |= {one.id: one for one in (lead, *linked)}
                self.venue.submit(lead, *linked)
            self._change(step)

    def _change(self, step: Step) -> None:
        known = list(self.orders.values())
        if 0 <= step.cancel < len(known):
            self.venue.cancel(known[step.cancel])
        if 0 <= step.replace < len(known):
            old = known[step.replace]
            left = old.qty - self.filled(old.id)
            if left:
                prices = {name: getattr(old, name) for name in ("limit_price", "stop_price", "trail_amount")}
                ends = {
                    "time_in_force": old.time_in_force,
                    "expires_at": old.expires_at,
                    "reduce_only": old.reduce_only,
                }
                links = {"created_at": step.bar.time, "replaces": old.id, "parent_id": old.parent_id}
                by = order(old.side, left, old.type, id=f"{old.id}r{len(known)}", **prices, **ends, **links)
                self.orders[by.id] = by
                self.venue.replace(old, by)

    def fills(self) -> list[OrderUpdate]:
        return [one for one in self.venue.told if isinstance(one, OrderUpdate) and one.kind is UpdateKind.FILL]

    def filled(self, key: str) -> Decimal:
        return sum((one.qty for one in self.fills() if one.client_order_id == key), ZERO)


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(histories(), venues)
def test_every_fill_lies_inside_its_bar_and_within_its_limit(steps, kwargs):
    played = Played(steps, {**kwargs, "slippage": None})
    for fill in played.fills():
        one = played.orders.get(fill.client_order_id)
        seen = played.bars[fill.time]
        # A quote moves what each side sees by half of its width.
        half = (price_of(seen.ask) - price_of(seen.bid)) / 2
        assert price_of(seen.low) - half <= fill.price <= price_of(seen.high) + half
        if one is not None and one.limit_price is not None:
            assert fill.price <= one.limit_price if one.side is Side.BUY else fill.price >= one.limit_price


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(histories(), venues)
def test_reduce_only_orders_never_open_and_no_order_is_overfilled(steps, kwargs):
    played = Played(steps, kwargs)
    held, external = ZERO, {}
    for one in played.venue.told:
        if isinstance(one, ExternalOrder):
            external[one.client_order_id] = one.terms
        elif isinstance(one, OrderUpdate) and one.kind is UpdateKind.FILL:
            terms = played.orders.get(one.client_order_id) or external[one.client_order_id]
            before = held
            held += one.qty if terms.side is Side.BUY else -one.qty
            if terms.reduce_only:
                assert abs(held) < abs(before)
                assert held * before >= 0
    for key, terms in played.orders.items():
        assert played.filled(key) <= terms.qty
    for key, terms in played.orders.items():
        if not terms.replaces:
            parents = [one for one in played.orders if _descends(played.orders, one, key)]
            children = [one.id for one in played.orders.values() if one.parent_id in parents]
            assert sum(map(played.filled, children), ZERO) <= sum(map(played.filled, parents), ZERO)


def _descends(orders: dict[str, OrderRecord], key: str, ancestor: str) -> bool:
    """Whether an order is another, or has come into its place."""
    while key and key != ancestor:
        key = orders[key].replaces
    return key == ancestor


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(histories(), venues)
def test_an_order_ends_once_and_does_nothing_afterwards(steps, kwargs):
    played = Played(steps, kwargs)
    resting = {work.key for work in played.venue.sim._book.orders()}
    for key, terms in played.orders.items():
        kinds = [one.kind for one in played.venue.updates(terms) if one.kind is not UpdateKind.CANCEL_REFUSED]
        ends = [kind for kind in kinds if kind in ENDS]
        is_filled = played.filled(key) == terms.qty
        assert len(ends) + is_filled + (key in resting) == 1
        assert not ends or kinds[-1] in ENDS


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(histories(), venues)
def test_day_orders_are_filled_before_their_close_and_auction_orders_in_their_auction(steps, kwargs):
    played, calendar = Played(steps, kwargs), calendar_of("XNYS")
    at_close = kwargs["fill"] == "same_close" and not kwargs["latency_ms"]
    for fill in played.fills():
        one = played.orders.get(fill.client_order_id)
        if one is None:
            continue
        decided = one.created_at + MINUTE + kwargs["latency_ms"] * 1_000_000 - at_close
        if one.time_in_force is TimeInForce.DAY:
            assert fill.time < calendar.close_after(decided)
        elif one.time_in_force is TimeInForce.CLS:
            assert fill.time < calendar.close_after(decided) <= fill.time + MINUTE
        elif one.time_in_force is TimeInForce.OPG:
            opening = calendar.open_from(decided)
            assert fill.time <= opening < fill.time + MINUTE
        elif one.time_in_force is TimeInForce.GTD:
            assert fill.time < one.expires_at


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(histories(), venues)
def test_the_account_is_the_sum_of_what_was_told(steps, kwargs):
    played = Played(steps, kwargs)
    cash, units, external = Decimal(20_000), ZERO, {}
    for one in played.venue.told:
        if isinstance(one, ExternalOrder):
            external[one.client_order_id] = one.terms
        elif isinstance(one, OrderUpdate):
            if one.kind is UpdateKind.FILL:
                terms = played.orders.get(one.client_order_id) or external[one.client_order_id]
                signed = one.qty if terms.side is Side.BUY else -one.qty
                cash, units = cash - signed * one.price - one.fee, units + signed
        else:
            cash += one.amount
    assert played.venue.sim.query_account().cash == cash
    assert sum((held.qty for held in played.venue.sim.query_positions()), ZERO) == units


@settings(max_examples=20, deadline=None)
@given(histories(), venues)
def test_the_same_history_is_told_in_the_same_words(steps, kwargs):
    assert Played(steps, kwargs).venue.told == Played(steps, kwargs).venue.told
