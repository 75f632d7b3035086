"""A venue whose client awaits, by its blocking form: the bridge that `brokers.threaded` is in the other direction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest

from brokers import looped
from brokers.base import VenuePosition
from brokers.looped import LoopedBrokerage
from tests.brokers.contract import SYMBOL, limit, order
from tests.brokers.test_made_up import Meadow
from tests.venues.meadow import MeadowStub
from tests.venues.serving import serving
from trading.engine.errors import Transient, Unknown
from trading.engine.updates import UpdateKind


class AwaitedBrokerage(LoopedBrokerage):
    """The made-up venue, as if its client knew nothing but awaiting."""

    venue = "meadow"

    def __init__(self, inner) -> None:
        super().__init__()
        self._inner = inner
        self._order_event_queue = inner._order_event_queue

    @property
    def updates_healthy(self):
        return self._inner.updates_healthy

    async def connect_async(self):
        await self._inner.connect_async()

    async def close_async(self):
        await self._inner.close_async()

    async def submit_order_async(self, order, linked=()):
        await self._inner.submit_order_async(order, linked)

    async def replace_order_async(self, order, by):
        await self._inner.replace_order_async(order, by)

    async def cancel_order_async(self, order):
        await self._inner.cancel_order_async(order)

    async def withdraw_async(self, shown):
        await self._inner.withdraw_async(shown)

    async def cancel_all_async(self):
        return await self._inner.cancel_all_async()

    async def query_order_async(self, order):
        return await self._inner.query_order_async(order)

    async def query_orders_async(self, since=None):
        return await self._inner.query_orders_async(since)

    async def query_open_orders_async(self):
        return await self._inner.query_open_orders_async()

    async def query_fills_async(self, since):
        return await self._inner.query_fills_async(since)

    async def query_positions_async(self):
        return await self._inner.query_positions_async()

    async def query_account_async(self):
        await asyncio.Event().wait()


class Awaited(Meadow):
    def make(self, **kwargs):
        return AwaitedBrokerage(super().make(**kwargs))


@pytest.fixture
def venue() -> Iterator[Awaited]:
    with serving(MeadowStub()) as stub:
        stub.trade(SYMBOL, "100")
        venue = Awaited(stub)
        venue.adapter.connect()
        yield venue
        venue.adapter.close()


def test_an_order_lives_and_ends_by_blocking_calls_alone(venue):
    bought, resting = order(), limit("90")
    venue.adapter.submit_order(bought)
    assert venue.kinds(bought, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
    venue.adapter.submit_order(resting)
    venue.kinds(resting, UpdateKind.ACCEPTED)
    [shown] = venue.adapter.query_open_orders()
    assert shown.client_order_id == resting.client_order_id
    venue.adapter.cancel_order(resting)
    venue.kinds(resting, UpdateKind.CANCELLED)
    assert venue.adapter.query_positions() == [VenuePosition(SYMBOL, Decimal(10))]
    [fill] = venue.adapter.query_fills(0)
    assert (fill.client_order_id, fill.qty, fill.price) == (bought.client_order_id, 10, 100)


def test_an_error_comes_through_as_what_it_is(venue):
    venue.lose_answer("swallow")
    with pytest.raises(Unknown):
        venue.adapter.submit_order(order())


def test_no_call_is_waited_for_without_an_end(venue, monkeypatch):
    monkeypatch.setattr(looped, "CALL_SECONDS", 0.1)
    with pytest.raises(Transient, match=r"did not answer within 0\.1 s"):
        venue.adapter.query_account()


def test_nothing_can_be_asked_before_it_is_connected():
    with serving(MeadowStub()) as stub, pytest.raises(Transient, match="not connected"):
        Awaited(stub).adapter.query_positions()
