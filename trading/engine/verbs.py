"""What is done to a run other than by its bars, and what it does by itself to hold less."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from trading.engine.calendars import AROUND_THE_CLOCK
from trading.engine.effects import Cancel, Effect, Submit
from trading.engine.instruments import Instrument, instrument_of
from trading.engine.ordering import OrderMaker, children_of
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.portfolio import ZERO, Position
from trading.engine.records import Kind, Record
from trading.engine.risk import Denial, PreTradeCheck, RiskAgent, figures
from trading.engine.state import RunState
from trading.engine.strategy import Context

# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_INTENDED: Final = OrderStatus.INTENDED
_ORDER_INTENDED: Final = Kind.ORDER_INTENDED
_MARKET: Final = OrderType.MARKET


class Verbs(RunState):
    """A run that can be stopped, held to reducing, brought to hold nothing, and let trade again.

    To reduce and to flatten are aims, and `go_on` gives the next steps towards them: nothing is asked for twice, unless
    a bar has passed and it has still not come to be.
    """

    agent: RiskAgent
    _maker: OrderMaker
    _check: PreTradeCheck

    def cancel_open(self, reason: str) -> Sequence[Cancel]:
        """Take no more requests and cancel every open order; whatever the run was about to exit, it keeps."""
        self.refusing = self.refusing or reason
        return self.withdraw(reason)

    def withdraw(self, reason: str) -> Sequence[Cancel]:
        """Cancel every open order, as `cancel_open` does; the run goes on.

        An order whose intent was not yet sent is cancelled at once; the others become ``pending_cancel`` until the
        venue has answered.
        """
        self.leaving = ""
        asked = [self._cancel(order, reason) for order in self.open_orders()]
        return [effect for effect in asked if effect is not None]

    def cancel_opening(self, symbol: str, reason: str) -> Sequence[Cancel]:
        """Cancel the open orders of a symbol that may open or add to a position; the run goes on."""
        cancels: list[Cancel] = []
        for order in self.open_orders(symbol):
            if order.is_open and self.open.may_open(order):
                cancels += self._drop(order, reason)
        return cancels

    def warm(self, bars: int) -> None:
        """Take the next ``bars`` bars as past: the strategy sees them, so that its windows fill, and what it asks for
        at them is not done. Whoever was told records it."""
        self._warmed += bars - max(self._warm_until - self.bars, 0)
        self._warm_until = self.bars + bars

    def reduce(
        self, code: str, message: str, figure: Decimal | None = None, limit: Decimal | None = None
    ) -> Sequence[Effect]:
        """From here on open nothing: what is open and would is cancelled, what only reduces may go on.

        A run that ends, or is reducing already, is left alone.
        """
        if self.refusing or self.reducing is not None:
            return ()
        self.reducing = Denial(code=code, message=message, figure=figure, limit=limit)
        self._check = self._check_reducing
        data = {"code": code, **figures(self.reducing)}
        self.records.append(Record(Kind.RISK_REDUCING, self.now, reason=message, data=data))
        return self.go_on()

    def flatten(self, reason: str) -> Sequence[Effect]:
        """From here on get rid of all that is held: first every other order is cancelled, then, symbol by symbol as the
        venue confirms it, market orders that only reduce sell what is long and buy what is short.

        Carry out what comes back, then ask `go_on`, until nothing is held. Called again, it asks anew for what has not
        come to be. Works in a run that takes no more requests; `cancel_open` ends it.
        """
        if self.leaving:
            self._asked.clear()
        self.leaving = reason
        return self.go_on()

    def go_on(self) -> Sequence[Effect]:
        """The next steps towards what `reduce` and `flatten` have begun; empty while there is nothing to do but wait,
        and where none has."""
        if self.reducing is None and not self.leaving:
            return ()
        if self.bars != self._asked_at:
            self._asked_at = self.bars
            self._asked.clear()
        effects: list[Effect] = []
        for order in self.open_orders():
            wanted = is_exit(order) if self.leaving else not self.open.may_open(order)
            if not wanted and order.is_open and self._ask(order.id):
                effects += self._drop(order, self.leaving or self._why_reducing)
        if self.leaving:
            effects += self._exits()
        return effects

    def recover(self, reason: str) -> None:
        """Trade again as before: of its own accord, since all that made the run reduce is normal again."""
        self._trade_again()
        self.records.append(Record(Kind.RISK_RESUMED, self.now, reason=reason, data={"code": "resumed"}))

    def renew(self) -> None:
        """Trade again as before because a person wants it, its limits measured anew; whoever was told records it."""
        self._trade_again()
        self.agent.resume(self)

    def _trade_again(self) -> None:
        self.reducing = None
        self.leaving = ""
        self._check = self.agent.check_pretrade

    @property
    def _why_reducing(self) -> str:
        return "" if self.reducing is None else f"{self.reducing.code}: the run only reduces"

    def _check_reducing(self, order: OrderRecord, context: Context) -> Denial | None:
        if order.collateral and (why := self.reducing) is not None:
            message = f"the run only reduces: {why.message}"
            return Denial(code="reducing", message=message, figure=why.figure, limit=why.limit)
        return self.agent.check_pretrade(order, context)

    def _ask(self, what: str) -> bool:
        """Whether this may be asked for now: not where it was at this bar."""
        if what in self._asked:
            return False
        self._asked.add(what)
        return True

    def _exits(self) -> list[Submit]:
        """Exits for what is held of each symbol in which no other order can still trade."""
        exits: list[Submit] = []
        for symbol, position in list(self.portfolio.held.items()):
            open_ones = self.open.of(symbol)
            if all(is_exit(order) for order in open_ones):
                side = Side.SELL if position.qty > 0 else Side.BUY
                leaving = sum((order.remaining_qty for order in open_ones if order.side is side), ZERO)
                qty = abs(position.qty) - leaving
                if qty > 0 and self._ask(symbol):
                    exits += self._exit(position, side, qty)
        return exits

    def _exit(self, position: Position, side: Side, qty: Decimal) -> list[Submit]:
        request = OrderRequest(
            symbol=position.symbol,
            side=side,
            qty=qty,
            time_in_force=_time_of(self._instruments.get(position.symbol) or instrument_of(position.symbol)),
            reduce_only=True,
            reason=self.leaving,
        )
        order = self._maker.make(request, self.now)
        denial = self.agent.check_pretrade(order, self)
        if denial is not None:
            self._deny(order, denial)
            return []
        self.open.add(order)
        self._intend(order)
        return [Submit(order)]

    # Facts about orders.

    def _intend(self, order: OrderRecord) -> None:
        order.move_to(_INTENDED)
        self.orders[order.client_order_id] = order
        self.records.append(Record(_ORDER_INTENDED, self.now, order, None, order.reason))

    def _deny(self, order: OrderRecord, denial: Denial, withheld: bool = False) -> None:
        order.move_to(OrderStatus.DENIED)
        order.reason = f"{denial.code}: {denial.message}"
        details = {"withheld": withheld, "code": denial.code, **figures(denial)}
        self.records.append(Record(Kind.ORDER_DENIED, self.now, order, reason=order.reason, data=details))
        self._tell_ended(order)

    def _tell_ended(self, order: OrderRecord) -> None:
        if self.observer is not None:
            self.observer.on_ended(order, self.now)

    def _drop(self, order: OrderRecord, reason: str) -> list[Cancel]:
        """Cancel an order, and with one that was not yet sent those that wait for it."""
        if order.status is _INTENDED:
            for child in children_of(order, self.open):
                self._cancel(child, "the order that it waits for was cancelled")
        effect = self._cancel(order, reason)
        return [] if effect is None else [effect]

    def _cancel(self, order: OrderRecord, reason: str) -> Cancel | None:
        if order.status is _INTENDED:
            order.move_to(OrderStatus.CANCELLED)
            order.reason = reason or order.reason
            self.records.append(Record(Kind.ORDER_CANCELLED, self.now, order, reason=reason))
            self.open.remove(order)
            self._tell_ended(order)
            return None
        if order.status is not OrderStatus.PENDING_CANCEL:
            order.before_cancel = order.status
            order.move_to(OrderStatus.PENDING_CANCEL)
            self.records.append(Record(Kind.ORDER_PENDING_CANCEL, self.now, order, reason=reason))
        return Cancel(order)


def is_exit(order: OrderRecord) -> bool:
    """Whether an order does all that can be done to leave a position, so that nothing better could take its place."""
    on_its_way = order.type is _MARKET and order.status is not OrderStatus.PENDING_CANCEL
    return order.reduce_only and on_its_way and not order.parent_id and not order.group


def _time_of(instrument: Instrument) -> TimeInForce:
    """Where a market has closes, some venues take no more than a day; where it has none, they know no day."""
    return TimeInForce.GTC if instrument.calendar == AROUND_THE_CLOCK else TimeInForce.DAY
