"""All that a run knows, and the view of it that strategies and risk rules have."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final

from trading.engine.bars import Bar
from trading.engine.instruments import Instrument, instrument_of
from trading.engine.margin import AccountType, initial
from trading.engine.open_orders import OpenOrders
from trading.engine.orders import OrderRecord, OrderRequest, OrderStatus, Side
from trading.engine.portfolio import ZERO, Portfolio, Position
from trading.engine.records import Kind, Record
from trading.engine.risk import Denial, RiskAgent, figures
from trading.engine.timers import Timers

# Python 3.11 looks the members of an enum up slowly, so those that every order needs are looked up once.
_SELL: Final = Side.SELL
_MARGIN: Final = AccountType.MARGIN
_SUBMITTED: Final = OrderStatus.SUBMITTED
_ORDER_SUBMITTED: Final = Kind.ORDER_SUBMITTED


class RunState:
    """The state of one run: a `trading.engine.strategy.Context` that the engine alone changes.

    ``refusing`` is why no new order is taken, ``halted`` why the run is to end, ``reducing`` why it may open nothing,
    ``leaving`` why it gets rid of what it holds; all are empty as long as all is well.
    ``observer`` hears what becomes of orders.
    """

    def __init__(
        self,
        universe: Sequence[str],
        starting_cash: Decimal,
        history: int = 0,
        instruments: Mapping[str, Instrument] | None = None,
        account: AccountType = AccountType.UNLEVERED,
    ) -> None:
        self.universe = tuple(universe)
        self.account = account
        self.portfolio = Portfolio(starting_cash)
        self.records: list[Record] = []
        self.timers = Timers()
        self.now = 0
        self.bars = 0
        self.fills = 0
        self._warm_until = 0
        self._warmed = 0
        self.refusing = ""
        self.halted = ""
        self.reducing: Denial | None = None
        self.leaving = ""
        self.observer: RiskAgent | None = None
        self.orders: dict[str, OrderRecord] = {}
        self.open = OpenOrders(self.portfolio.positions, self.unit_cost)
        self._positions = self.portfolio.positions
        self._instruments = {symbol: instrument_of(symbol) for symbol in self.universe} | dict(instruments or {})
        self._history: dict[str, deque[Bar]] = {}
        self._tied = ZERO
        self._tied_at = (-1, -1)
        self._asked: set[str] = set()
        self._asked_at = 0
        for symbol in self.universe:
            self.portfolio.position(symbol)
            self._history[symbol] = deque(maxlen=history)

    @property
    def traded_bars(self) -> int:
        """How many of the bars seen were not past already, see `Verbs.warm`."""
        return self.bars - self._warmed + max(self._warm_until - self.bars, 0)

    @property
    def cash(self) -> Decimal:
        return self.portfolio.cash

    @property
    def equity(self) -> Decimal:
        return self.portfolio.equity

    def symbols(self) -> Collection[str]:
        return self._positions.keys()

    def qty(self, symbol: str) -> Decimal:
        return self._positions[symbol].qty

    def position(self, symbol: str) -> Position | None:
        return self._positions.get(symbol)

    def last_price(self, symbol: str) -> Decimal | None:
        position = self._positions.get(symbol)
        return position.price if position is not None and position.last else None

    def history(self, symbol: str) -> Sequence[Bar]:
        return self._history[symbol]

    def instrument(self, symbol: str) -> Instrument:
        return self._instruments[symbol]

    def order(self, order_id: str) -> OrderRecord | None:
        return self.open.get(order_id) or self.orders.get(order_id)

    def open_orders(self, symbol: str | None = None) -> list[OrderRecord]:
        return list(self.open) if symbol is None else self.open.of(symbol)

    def has_open_order(self, symbol: str) -> bool:
        return self.open.any_of(symbol)

    def open_qty(self, symbol: str, side: Side, order: OrderRecord | None = None) -> Decimal:
        return self.open.open_qty(symbol, side, order)

    @property
    def committed(self) -> Decimal:
        return self.open.committed

    def required(self, order: OrderRecord) -> Decimal:
        return self.open.required(order)

    @property
    def buying_power(self) -> Decimal:
        return self.portfolio.cash - self._tied_up() - self.open.committed

    def set_timer(self, name: str, at: int, every: int = 0) -> None:
        self.timers.set(name, at, every)

    def cancel_timer(self, name: str) -> None:
        self.timers.cancel(name)

    def on_submitted(self, *orders: OrderRecord) -> None:
        """The driver is about to send these orders, which are linked where they are several."""
        for order in orders:
            order.move_to(_SUBMITTED)
            self.records.append(Record(_ORDER_SUBMITTED, self.now, order))
            if self.observer is not None:
                self.observer.on_submitted(order, self.now)

    def halt(self, code: str, message: str, figure: Decimal | None = None, limit: Decimal | None = None) -> None:
        """Take no more requests; the driver sees ``halted`` and ends the run."""
        if not self.halted:
            self.halted = self.refusing = code
            data = {"code": code, **figures(Denial(code=code, message=message, figure=figure, limit=limit))}
            self.records.append(Record(Kind.RISK_HALTED, self.now, reason=message, data=data))

    def _tied_up(self) -> Decimal:
        """What positions tie up beyond their own value, reckoned once per bar and fill."""
        at = (self.bars, self.fills)
        if at != self._tied_at:
            self._tied_at = at
            paid_in_full = self.account is not _MARGIN
            self._tied = sum(
                (
                    abs(held.qty) * self._initial(held.symbol, held.price, held.qty < 0) - held.market_value
                    for held in self.portfolio.held.values()
                    if held.units < 0.0 or not paid_in_full
                ),
                ZERO,
            )
        return self._tied

    def unit_cost(self, order: OrderRecord | OrderRequest) -> Decimal:
        """Equity that one unit of an order ties up where it opens exposure, at the dearest price that it is known to
        allow: a buyer's limit, else the highest of the last price, limit and stop, because what can trade at once gets
        the market's price and not its own."""
        short = order.side is _SELL
        limit, price = order.limit_price, self._positions[order.symbol].price
        if limit is not None and not short and limit.is_finite() and limit > 0:
            price = limit
        else:
            for own in (limit, order.stop_price):
                if own is not None and own.is_finite() and own > price:
                    price = own
        return self._initial(order.symbol, price, short)

    def _initial(self, symbol: str, price: Decimal, short: bool) -> Decimal:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            # What the venue brought into the account may be of any symbol.
            instrument = self._instruments[symbol] = instrument_of(symbol)
        underlying = None if instrument.option is None else self.last_price(instrument.option.underlying)
        return initial(self.account, instrument, price, short, underlying)
