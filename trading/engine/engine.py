"""The engine: events in, effects out.

It holds everything that a run knows (portfolio, open orders, history) and decides everything, but does nothing itself:
a driver feeds it bars, order updates and verbs, and carries out the effects that it returns. Each fact is appended to
``records``, in the order in which it came to be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from trading.engine.bars import Bar, price_of
from trading.engine.effects import Cancel, Effect, Submit
from trading.engine.errors import InvalidValue
from trading.engine.instruments import Instrument, instrument_of
from trading.engine.orders import FINAL_STATUSES, OPEN_STATUSES, OrderRecord, OrderRequest, OrderStatus, Request, Side
from trading.engine.portfolio import ZERO, Portfolio, Position
from trading.engine.records import Fill, Kind, Record
from trading.engine.risk import Denial, PreTradeCheck
from trading.engine.strategy import IStrategy
from trading.engine.timers import Timers
from trading.engine.updates import NEWS_TO, STATE_AFTER, OrderUpdate, UpdateKind

NO_EFFECTS: Final[tuple[Effect, ...]] = ()


class Engine:
    """The state of one run. Also the `trading.engine.strategy.Context` that strategies and risk rules read."""

    def __init__(
        self,
        run_key: str,
        strategy: IStrategy,
        check: PreTradeCheck,
        universe: Sequence[str],
        starting_cash: Decimal,
    ) -> None:
        self.run_key = run_key
        self.strategy = strategy
        self.universe = tuple(universe)
        self.portfolio = Portfolio(starting_cash)
        self.records: list[Record] = []
        self.now = 0
        self.bars = 0
        self.fills = 0
        self.refusing = ""
        self.halted = ""
        self._check = check
        self._decide = strategy.on_bar
        self._orders: dict[str, OrderRecord] = {}
        self._open: dict[str, OrderRecord] = {}
        self._executions: set[str] = set()
        self._sequence = 0
        self._timers = Timers()
        self._instruments = {symbol: instrument_of(symbol) for symbol in self.universe}
        self._positions = self.portfolio.positions
        self._history: dict[str, deque[Bar]] = {}
        self._keeps_history = strategy.history > 0
        for symbol in self.universe:
            self.portfolio.position(symbol)
            self._history[symbol] = deque(maxlen=strategy.history)

    def on_bar(self, bar: Bar) -> Sequence[Effect]:
        """Take a closed bar: mark the portfolio to its close and ask the strategy what it wants."""
        symbol = bar.symbol
        close = bar.close
        position = self._positions[symbol]
        if position.units:
            self.portfolio.mark += position.units * (close - position.last)
        position.last = close
        self.now = bar.time
        self.bars += 1
        if self._keeps_history:
            self._history[symbol].append(bar)
        if bar.time >= self._timers.due:
            return [*self._on_timers(), *self._place(self._decide(bar, self))]
        requests = self._decide(bar, self)
        return self._place(requests) if requests else NO_EFFECTS

    def _on_timers(self) -> Sequence[Effect]:
        effects: list[Effect] = []
        for name in self._timers.take(self.now):
            effects += self._place(self.strategy.on_timer(name, self))
        return effects

    def _place(self, requests: Iterable[Request]) -> Sequence[Effect]:
        effects: list[Effect] = []
        for request in requests:
            if not isinstance(request, OrderRequest):
                raise InvalidValue(f"strategy asked for {type(request).__name__}, which the engine does not take yet")
            order = self._make(request)
            denial = self._refusal() or self._check(order, self)
            if denial is None:
                order.move_to(OrderStatus.INTENDED)
                self._orders[order.client_order_id] = self._open[order.client_order_id] = order
                self.records.append(Record(Kind.ORDER_INTENDED, self.now, order, reason=order.reason))
                effects.append(Submit(order))
            else:
                self._deny(order, denial)
        return effects

    def _make(self, request: OrderRequest) -> OrderRecord:
        if request.symbol not in self._positions:
            raise InvalidValue(f"strategy asked to trade {request.symbol}, which is not in the universe")
        self._sequence += 1
        order_id = f"{self.run_key}-{self._sequence}"
        held = self._positions[request.symbol].qty
        signed = request.qty if request.side is Side.BUY else -request.qty
        return OrderRecord(
            id=order_id,
            client_order_id=order_id,
            symbol=request.symbol,
            side=request.side,
            qty=request.qty,
            type=request.type,
            time_in_force=request.time_in_force,
            limit_price=request.limit_price,
            created_at=self.now,
            signal="flat" if held and signed == -held else request.side.value,
            collateral=self._opening_notional(request, held),
            reason=request.reason,
        )

    def _opening_notional(self, request: OrderRequest, held: Decimal) -> Decimal:
        """Notional of the part of a request that adds exposure once the open orders of its side are done."""
        signed_held = held if request.side is Side.BUY else -held
        for order in self._open.values():
            if order.symbol == request.symbol and order.side is request.side:
                signed_held += order.remaining_qty
        opening = request.qty if signed_held >= 0 else request.qty + signed_held
        if not opening.is_finite() or opening <= 0:
            return ZERO
        last = self._positions[request.symbol].last
        return opening * (request.limit_price if request.limit_price is not None else price_of(last))

    def _refusal(self) -> Denial | None:
        if not self.refusing:
            return None
        return Denial(code=self.refusing, message="the run takes no new orders")

    def _deny(self, order: OrderRecord, denial: Denial, withheld: bool = False) -> None:
        order.move_to(OrderStatus.DENIED)
        order.reason = f"{denial.code}: {denial.message}"
        details = {
            "withheld": withheld,
            "code": denial.code,
            "figure": None if denial.figure is None else str(denial.figure),
            "limit": None if denial.limit is None else str(denial.limit),
        }
        self.records.append(Record(Kind.ORDER_DENIED, self.now, order, reason=order.reason, data=details))

    def on_submitted(self, order: OrderRecord) -> None:
        """The driver is about to send this order."""
        order.move_to(OrderStatus.SUBMITTED)
        self.records.append(Record(Kind.ORDER_SUBMITTED, self.now, order))

    def on_withheld(self, order: OrderRecord, denial: Denial) -> None:
        """The order gate did not let this order leave."""
        del self._open[order.client_order_id]
        self._deny(order, denial, withheld=True)

    def on_update(self, update: OrderUpdate) -> None:
        """Take what the venue says about an order. What was said before is ignored; a late fill is booked."""
        order = self._orders.get(update.client_order_id)
        if order is None:
            raise InvalidValue(f"update for an unknown order {update.client_order_id}")
        if update.time > self.now:
            self.now = update.time
        if update.venue_order_id is not None:
            order.venue_order_id = update.venue_order_id
        if update.kind is UpdateKind.FILL:
            self._fill(order, update)
        elif update.kind is UpdateKind.CANCEL_REFUSED:
            self._restore(order, update)
        else:
            self._turn(order, update)
        if order.status in FINAL_STATUSES:
            self._open.pop(order.client_order_id, None)

    def _turn(self, order: OrderRecord, update: OrderUpdate) -> None:
        status, kind = STATE_AFTER[update.kind]
        news_to = NEWS_TO.get(update.kind, OPEN_STATUSES)
        if order.status is OrderStatus.PENDING_CANCEL and order.before_cancel in news_to:
            order.before_cancel = status
        if order.status not in news_to:
            return
        order.move_to(status)
        order.reason = update.reason or order.reason
        self.records.append(Record(kind, update.time, order, reason=update.reason))

    def _restore(self, order: OrderRecord, update: OrderUpdate) -> None:
        if order.status is not OrderStatus.PENDING_CANCEL:
            return
        order.move_to(OrderStatus.PARTIALLY_FILLED if order.filled_qty else order.before_cancel)
        data = {"status": order.status.value}
        self.records.append(Record(Kind.ORDER_CANCEL_REFUSED, update.time, order, reason=update.reason, data=data))

    def _fill(self, order: OrderRecord, update: OrderUpdate) -> None:
        if update.execution_id in self._executions:
            return
        qty, price = update.qty, update.price
        if not update.execution_id or not _is_figure(qty) or not _is_figure(price) or not update.fee.is_finite():
            raise InvalidValue(f"a fill of order {order.id} that cannot be: {qty} at {price}, {update.execution_id!r}")
        self._go_on_filled(order, order.filled_qty + qty)
        self._executions.add(update.execution_id)
        position = self.portfolio.trade(order.symbol, order.side, qty, price, update.fee)
        filled = order.filled_qty + qty
        previous = order.avg_fill_price
        order.avg_fill_price = price if previous is None else (previous * order.filled_qty + price * qty) / filled
        order.filled_qty = filled
        self.fills += 1
        fill = Fill(
            execution_id=update.execution_id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            fee=update.fee,
            cash=self.portfolio.cash,
            position_qty=position.qty,
            position_cost=position.cost,
            position_avg_price=position.avg_price,
            realized_pnl=position.realized_pnl,
            order_status=order.status,
            order_filled_qty=filled,
            order_avg_price=order.avg_fill_price,
        )
        self.records.append(Record(Kind.ORDER_FILLED, update.time, order, fill, update.reason))
        if filled > order.qty:
            self.halt("overfill", f"order {order.id} for {order.qty} was filled for {filled}")

    def _go_on_filled(self, order: OrderRecord, filled: Decimal) -> None:
        """Enter the state after a fill. A part of an order ends no cancel that is under way and revives nothing."""
        if filled >= order.qty:
            order.move_to(OrderStatus.FILLED)
        elif order.status is not OrderStatus.PENDING_CANCEL and order.status not in FINAL_STATUSES:
            order.move_to(OrderStatus.PARTIALLY_FILLED)

    def halt(self, code: str, message: str) -> None:
        """Take no more requests; the driver sees ``halted`` and ends the run."""
        if not self.halted:
            self.halted = self.refusing = code
            self.records.append(Record(Kind.RISK_HALTED, self.now, reason=message, data={"code": code}))

    def cancel_open(self, reason: str) -> Sequence[Effect]:
        """Take no more requests and cancel every open order.

        An order whose intent was not yet sent is cancelled at once; the others become ``pending_cancel`` until the
        venue has answered.
        """
        self.refusing = self.refusing or reason
        effects: list[Effect] = []
        for order in list(self._open.values()):
            if order.status is OrderStatus.INTENDED:
                order.move_to(OrderStatus.CANCELLED)
                self.records.append(Record(Kind.ORDER_CANCELLED, self.now, order, reason=reason))
                del self._open[order.client_order_id]
            else:
                if order.status is not OrderStatus.PENDING_CANCEL:
                    order.before_cancel = order.status
                    order.move_to(OrderStatus.PENDING_CANCEL)
                    self.records.append(Record(Kind.ORDER_PENDING_CANCEL, self.now, order, reason=reason))
                effects.append(Cancel(order))
        return effects

    def resume(self) -> None:
        """Take requests again after `cancel_open`, unless the run is halted."""
        self.refusing = self.halted

    # The view of strategies and risk rules.

    @property
    def cash(self) -> Decimal:
        return self.portfolio.cash

    @property
    def equity(self) -> Decimal:
        return self.portfolio.equity

    def qty(self, symbol: str) -> Decimal:
        return self._positions[symbol].qty

    def position(self, symbol: str) -> Position | None:
        return self._positions.get(symbol)

    def last_price(self, symbol: str) -> Decimal | None:
        position = self._positions.get(symbol)
        return price_of(position.last) if position is not None and position.last else None

    def history(self, symbol: str) -> Sequence[Bar]:
        return self._history[symbol]

    def instrument(self, symbol: str) -> Instrument:
        return self._instruments[symbol]

    def set_timer(self, name: str, at: int, every: int = 0) -> None:
        self._timers.set(name, at, every)

    def cancel_timer(self, name: str) -> None:
        self._timers.cancel(name)

    def open_orders(self, symbol: str | None = None) -> list[OrderRecord]:
        return [order for order in self._open.values() if symbol is None or order.symbol == symbol]

    def has_open_order(self, symbol: str) -> bool:
        return any(order.symbol == symbol for order in self._open.values())

    @property
    def committed(self) -> Decimal:
        total = ZERO
        for order in self._open.values():
            if order.collateral:
                total += order.collateral * order.remaining_qty / order.qty
        return total


def _is_figure(value: Decimal) -> bool:
    return value.is_finite() and value > 0
