"""The engine: events in, effects out.

It holds everything that a run knows (portfolio, open orders, history) and decides everything, but does nothing itself:
a driver feeds it bars, order updates and verbs, and carries out the effects that it returns. Each fact is appended to
``records``, in the order in which it came to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from trading.engine.bars import Bar
from trading.engine.effects import Cancel, Effect, Replace, Submit, unsent
from trading.engine.errors import InvalidValue
from trading.engine.instruments import Instrument
from trading.engine.margin import AccountType
from trading.engine.ordering import OrderMaker
from trading.engine.orders import CancelRequest, OrderRecord, OrderRequest, OrderStatus, ReplaceRequest, Request
from trading.engine.records import Kind, Record
from trading.engine.risk import Denial, RiskAgent
from trading.engine.strategy import IStrategy
from trading.engine.updates import VenueUpdate
from trading.engine.venue_news import VenueNews
from trading.engine.verbs import Verbs

NO_EFFECTS: Final[tuple[Effect, ...]] = ()
#: States of an order whose terms can be replaced at the venue.
_REPLACEABLE: Final = frozenset({OrderStatus.SUBMITTED, OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_INTENDED: Final = OrderStatus.INTENDED


class Engine(Verbs):
    """One run. Also the `trading.engine.strategy.Context` that strategies and risk rules read."""

    def __init__(
        self,
        run_key: str,
        strategy: IStrategy,
        agent: RiskAgent,
        universe: Sequence[str],
        starting_cash: Decimal,
        instruments: Mapping[str, Instrument] | None = None,
        account: AccountType = AccountType.UNLEVERED,
    ) -> None:
        super().__init__(universe, starting_cash, strategy.history, instruments, account)
        self.run_key = run_key
        self.strategy = strategy
        self.agent = agent
        self.observer = agent if agent.observes else None
        self._check = agent.check_pretrade
        self._sizer = agent.sizer
        self._learn = agent.sizer.learn if agent.sizer is not None and agent.sizer.learns else None
        self._decide = strategy.on_bar
        self._keeps_history = strategy.history > 0
        self._maker = OrderMaker(run_key, self.portfolio, self.open)
        #: Takes what the venue says. What was said before is ignored; a late fill is booked.
        self.on_update: Callable[[VenueUpdate], None] = VenueNews(self).take

    def on_bar(self, bar: Bar) -> Sequence[Effect]:
        """Take a closed bar: mark the portfolio to its close and ask the strategy what it wants.

        Timers that are due by the bar's stamp come first.
        """
        symbol = bar.symbol
        close = bar.close
        position = self._positions[symbol]
        if position.units:
            self.portfolio.approximate_equity += position.units * (close - position.last)
        position.last = close
        self.now = bar.time
        self.bars += 1
        if self._keeps_history:
            self._history[symbol].append(bar)
        if self._learn is not None:
            self._learn(bar)
        if bar.time >= self.timers.due:
            return self._on_timers(bar)
        requests = self._decide(bar, self)
        return self._place(requests, []) if requests else NO_EFFECTS

    def _on_timers(self, bar: Bar) -> Sequence[Effect]:
        effects: list[Effect] = []
        for name in self.timers.take(bar.time):
            effects = self._place(self.strategy.on_timer(name, self), effects)
        return self._place(self._decide(bar, self), effects)

    # What the strategy wants.

    def _place(self, requests: Iterable[Request], effects: list[Effect]) -> list[Effect]:
        if self.bars <= self._warm_until:
            return effects
        for request in requests:
            if isinstance(request, OrderRequest):
                effect: Effect | None = self._order(request)
            elif isinstance(request, ReplaceRequest):
                effect = self._replace(request)
            else:
                effect = self._withdraw(request)
                effects = unsent(effects)
            if effect is not None:
                effects.append(effect)
        return effects

    def _order(self, request: OrderRequest) -> Submit | None:
        denial = self._refusal() if self.refusing else None
        why = ""
        if self._sizer is not None and denial is None:
            sized = self._sizer.size(request, self)
            if isinstance(sized, Denial):
                denial, why = sized, sized.message
            else:
                request, why = sized.request, sized.why
        if request.then or request.instead:
            return self._family(request, why, denial)
        order = self._maker.make(request, self.now)
        order.sizing = why
        if denial is None:
            denial = self._check(order, self)
        if denial is not None:
            self._deny(order, denial)
            return None
        self.open.add(order)
        self._intend(order)
        return Submit(order)

    def _family(self, request: OrderRequest, why: str, denial: Denial | None) -> Submit | None:
        """All linked orders or none: each is checked with those before it counted, and one denial denies them all."""
        members: list[OrderRecord] = []
        denied = None

        def take(order: OrderRecord) -> None:
            nonlocal denial, denied
            members.append(order)
            order.sizing = why
            if denial is None:
                denial = self._check(order, self)
                denied = order if denial is not None else None
            if denial is None:
                self.open.add(order)

        self._maker.family(request, self.now, take)
        if denial is None:
            for order in members:
                self._intend(order)
            return Submit(members[0], tuple(members[1:]))
        others = denial
        if denied is not None:
            message = f"an order that it is linked with was denied: {denial.message}"
            others = Denial(code="linked", message=message)
        for order in members:
            self.open.remove(order)
            self._deny(order, denial if order is denied else others)
        return None

    def _replace(self, request: ReplaceRequest) -> Replace | None:
        """A new order for an old one, checked with the old one not counted; what cannot be replaced denies it."""
        old = self._own(request.order_id)
        was_open = self.open.get(old.client_order_id) is not None
        if was_open:
            self.open.remove(old)
        order = self._maker.replacement(old, request, self.now)
        denial = self._refusal() or _irreplaceable(old) or self._check(order, self)
        if was_open:
            self.open.add(old)
        if denial is not None:
            self._deny(order, denial)
            return None
        self.open.add(order)
        self._intend(order)
        return Replace(old, order)

    def _withdraw(self, request: CancelRequest) -> Cancel | None:
        """Cancel an order for the strategy.

        That it has ended meanwhile is recorded as a refused cancel. One whose cancel is under way is left to it.
        """
        order = self._own(request.order_id)
        if not order.is_open:
            data = {"status": order.status.value}
            reason = f"the order is {order.status} already"
            self.records.append(Record(Kind.ORDER_CANCEL_REFUSED, self.now, order, reason=reason, data=data))
            return None
        if order.status is OrderStatus.PENDING_CANCEL:
            return None
        cancels = self._drop(order, request.reason)
        return cancels[0] if cancels else None

    def _own(self, order_id: str) -> OrderRecord:
        order = self.orders.get(order_id)
        if order is None or order.external:
            raise InvalidValue(f"strategy asked to change order {order_id}, which is none of its own")
        return order

    def _refusal(self) -> Denial | None:
        if not self.refusing:
            return None
        return Denial(code=self.refusing, message="the run takes no new orders")

    # What becomes of it.

    def on_withheld(self, order: OrderRecord, denial: Denial, *linked: OrderRecord) -> None:
        """The order gate did not let this order, and those linked with it, leave."""
        for one in (order, *linked):
            self.open.remove(one)
            self._deny(one, denial, withheld=True)


def _irreplaceable(order: OrderRecord) -> Denial | None:
    if order.status in _REPLACEABLE:
        return None
    return Denial(code="not_replaceable", message=f"an order that is {order.status} cannot be replaced")
