"""Whatever a venue says, legally, in whatever order: what an engine's books must hold."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.engine.builders import MINUTE, START, bar, buy, engine, sell
from trading.engine.effects import Cancel, Replace, Submit
from trading.engine.linked import bracket, one_cancels_other
from trading.engine.orders import CancelRequest, OrderStatus, ReplaceRequest, Side
from trading.engine.records import Kind
from trading.engine.strategy import IStrategy
from trading.engine.updates import CashUpdate, ExternalOrder, OrderUpdate, UpdateKind

D = Decimal
CASH = D(100_000)
NUMBER = st.integers(0, 99)
AMOUNTS = st.decimals("0.01", "500", places=2)


class Wishes(IStrategy):
    def __init__(self):
        self.wishes = []

    def on_bar(self, bar, context):
        wished, self.wishes = self.wishes, []
        return wished


class LifeOfOrders(RuleBasedStateMachine):
    """A venue that accepts, fills in parts, fills late, cancels, refuses, replaces, and does things by itself."""

    @initialize()
    def start(self):
        self.strategy = Wishes()
        self.machine = engine(self.strategy)
        self.minute = 0
        self.executions = 0
        self.paid = CASH
        self.held = D(0)
        self.replacing = {}
        self.cancelling = []
        self.bar(100)

    @property
    def now(self):
        return START + self.minute * MINUTE

    def bar(self, close):
        for effect in self.machine.on_bar(bar(float(close), minute=self.minute)):
            if isinstance(effect, Submit):
                self.machine.on_submitted(effect.order, *effect.linked)
            elif isinstance(effect, Replace):
                self.machine.on_submitted(effect.by)
                self.replacing[effect.by.id] = effect.order
            else:
                assert isinstance(effect, Cancel)
                self.cancelling.append(effect.order)
        self.minute += 1

    def any_order(self, number):
        orders = [order for order in self.machine.orders.values() if order.status is not OrderStatus.DENIED]
        return orders[number % len(orders)] if orders else None

    def tell(self, kind, order, **fields):
        self.machine.on_update(OrderUpdate(kind, order.client_order_id, self.now, **fields))

    @rule(side=st.sampled_from(Side), qty=st.integers(1, 30), shape=st.sampled_from(["plain", "bracket", "oco"]))
    def order(self, side, qty, shape):
        make, other = (buy, sell) if side is Side.BUY else (sell, buy)
        request = make(qty, limit="100")
        if shape == "bracket":
            near, far = ("90", "110") if side is Side.SELL else ("110", "90")
            request = bracket(request, D(near), D(far))
        elif shape == "oco":
            request = one_cancels_other(request, other(qty, limit="105"))
        self.strategy.wishes = [request]
        self.bar(100)

    @rule(number=NUMBER, close=st.integers(80, 120))
    def cancel(self, number, close):
        order = self.any_order(number)
        if order is not None and not order.external:
            self.strategy.wishes = [CancelRequest(order.id)]
        self.bar(close)

    @rule(number=NUMBER, price=st.integers(90, 110))
    def replace(self, number, price):
        order = self.any_order(number)
        if order is not None and not order.external:
            self.strategy.wishes = [ReplaceRequest(order_id=order.id, limit_price=D(price))]
        self.bar(100)

    @rule(number=NUMBER, kind=st.sampled_from([UpdateKind.ACCEPTED, UpdateKind.UNKNOWN, UpdateKind.CANCELLED,
                                               UpdateKind.EXPIRED, UpdateKind.CANCEL_REFUSED]))  # fmt: skip
    def word(self, number, kind):
        order = self.any_order(number)
        if order is not None:
            self.tell(kind, order)

    @rule(number=NUMBER, part=st.integers(1, 4), price=st.integers(80, 120))
    def fill(self, number, part, price):
        """Also of an order that has ended: a fill may come late."""
        order = self.any_order(number)
        if order is None or order.remaining_qty <= 0 or order.status is OrderStatus.INTENDED:
            return
        qty = min((order.remaining_qty / part).quantize(D("0.01"), ROUND_CEILING), order.remaining_qty)
        self.executions += 1
        self.tell(UpdateKind.FILL, order, qty=qty, price=D(price), fee=D("0.1"), execution_id=f"e{self.executions}")
        signed = qty if order.side is Side.BUY else -qty
        self.paid -= signed * price + D("0.1")
        self.held += signed

    @rule(done=st.booleans())
    def answer_replace(self, done):
        if self.replacing:
            new_id, old = self.replacing.popitem()
            new = self.machine.orders[new_id]
            if done:
                self.tell(UpdateKind.REPLACED, old)
                self.tell(UpdateKind.ACCEPTED, new)
            else:
                self.tell(UpdateKind.REJECTED, new, reason="no")

    @rule(qty=st.integers(1, 30))
    def by_itself(self, qty):
        name = f"x{len(self.machine.orders)}"
        self.machine.on_update(ExternalOrder(name, self.now, sell(qty), reason="manual"))

    @rule(amount=AMOUNTS)
    def interest(self, amount):
        self.machine.on_update(CashUpdate("interest", -amount, self.now))
        self.paid -= amount

    @invariant()
    def money_and_units_are_those_of_the_fills(self):
        if hasattr(self, "machine"):
            assert self.machine.cash == self.paid
            assert self.machine.qty("SPY") == self.held
            assert sum(order.filled_qty if order.side is Side.BUY else -order.filled_qty
                       for order in self.machine.orders.values()) == self.held  # fmt: skip

    @invariant()
    def open_orders_are_those_that_may_trade(self):
        if hasattr(self, "machine"):
            may_trade = {order.id for order in self.machine.orders.values() if order.is_open}
            assert {order.id for order in self.machine.open_orders()} == may_trade
            assert self.machine.committed >= 0
            if not may_trade:
                assert self.machine.committed == 0

    @invariant()
    def the_records_tell_it_all(self):
        if hasattr(self, "machine"):
            told = {record.order.id: record for record in self.machine.records if record.fill is not None}
            for order in self.machine.orders.values():
                if order.filled_qty:
                    assert told[order.id].fill.order_filled_qty == order.filled_qty
            intended = [
                r.order.id for r in self.machine.records if r.kind in (Kind.ORDER_INTENDED, Kind.ORDER_EXTERNAL)
            ]
            assert sorted(intended) == sorted(self.machine.orders)
            msgspec.json.encode([record.data for record in self.machine.records])


TestLifeOfOrders = LifeOfOrders.TestCase
TestLifeOfOrders.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
