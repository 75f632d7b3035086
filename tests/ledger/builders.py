"""Runs and the records of their trading, made with the engine's own portfolio so that every fill is consistent."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from trading.engine.orders import OrderRecord, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.portfolio import Portfolio
from trading.engine.records import Fill, Kind, Record, plain
from trading.models import Mode, Run

SECOND = 1_000_000_000
NINE_THIRTY = 1_380_634_200 * SECOND
STARTING_CASH = Decimal(100_000)

Step = Callable[[], Record]


def new_run(**columns: Any) -> Run:
    given = {"name": "a run", "mode": Mode.PAPER, "recipe": {"name": "a run"}, "starting_cash": STARTING_CASH}
    return Run.objects.create(task_id=str(uuid.uuid4()), **{**given, **columns})


class Trading:
    """The trading of one run. Each step books one fact and returns its record; a second passes between two facts."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.portfolio = Portfolio(run.starting_cash)
        self.now = NINE_THIRTY
        self.orders = 0
        self.fills = 0

    def _tick(self) -> int:
        self.now += SECOND + 7
        return self.now

    def order(
        self, symbol: str = "SPY", side: Side = Side.BUY, qty: Decimal = Decimal(10), limit: Decimal | None = None
    ) -> OrderRecord:
        self.orders += 1
        order_id = f"{self.run.id.hex}-{self.orders}"
        return OrderRecord(
            id=order_id,
            client_order_id=order_id,
            symbol=symbol,
            side=side,
            qty=qty,
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            limit_price=limit,
            created_at=self.now,
            signal=side.value,
            reason="z below entry",
        )

    def step(
        self,
        order: OrderRecord,
        status: OrderStatus,
        kind: Kind,
        reason: str = "",
        data: dict[str, Any] | None = None,
    ) -> Record:
        order.move_to(status)
        order.reason = reason or order.reason
        if status is OrderStatus.ACCEPTED:
            order.venue_order_id = f"v-{order.id[-6:]}"
        return Record(kind, self._tick(), order, reason=reason, data=data)

    def intend(self, order: OrderRecord) -> Record:
        return self.step(order, OrderStatus.INTENDED, Kind.ORDER_INTENDED, order.reason)

    def submit(self, order: OrderRecord) -> Record:
        return self.step(order, OrderStatus.SUBMITTED, Kind.ORDER_SUBMITTED)

    def fill(self, order: OrderRecord, qty: Decimal, price: Decimal, fee: Decimal = Decimal(0)) -> Record:
        held = self.portfolio.trade(order.symbol, order.side, qty, price, fee)
        held.last = float(price)
        filled, previous = order.filled_qty + qty, order.avg_fill_price
        order.avg_fill_price = price if previous is None else (previous * order.filled_qty + price * qty) / filled
        order.filled_qty = filled
        order.move_to(OrderStatus.FILLED if filled >= order.qty else OrderStatus.PARTIALLY_FILLED)
        self.fills += 1
        booked = Fill(
            execution_id=f"x{self.fills}",
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            fee=fee,
            cash=self.portfolio.cash,
            position_qty=held.qty,
            position_cost=held.cost,
            position_avg_price=held.avg_price,
            realized_pnl=held.realized_pnl,
            order_status=order.status,
            order_filled_qty=filled,
            order_avg_price=order.avg_fill_price,
        )
        return Record(Kind.ORDER_FILLED, self._tick(), order, booked)

    def filled_order(self, **terms: Any) -> list[Record]:
        """The life of an order that fills at once, at 101.37 with a fee of 0.35."""
        order = self.order(**terms)
        return [self.intend(order), self.submit(order), self.fill(order, order.qty, Decimal("101.37"), Decimal("0.35"))]

    def status(self, status: str, reason: str = "", **columns: Any) -> Record:
        data = {"status": status, "reason": reason, **columns}
        return Record(Kind.RUN_STATUS, self._tick(), reason=reason, data=data)

    def state(self) -> dict[str, Any]:
        """What a session flushes."""
        held = [position for position in self.portfolio.positions.values() if position.qty]
        positions = [{"symbol": each.symbol, "qty": plain(each.qty), "last_price": repr(each.last)} for each in held]
        return {"equity": plain(self.portfolio.equity), "positions": positions, "time": self.now}

    def point(self) -> tuple[int, Decimal, Decimal]:
        return self.now, self.portfolio.equity, self.portfolio.cash

    def ending(self, status: str = "completed", **columns: Any) -> Record:
        equity = self.portfolio.equity
        figures = {
            "started_at": "2024-01-02T03:04:05+00:00",
            "ended_at": "2024-01-02T04:04:05+00:00",
            "cash": plain(self.portfolio.cash),
            "final_equity": plain(equity),
            "total_pnl": plain(equity - self.run.starting_cash),
            "num_bars": 390,
            "num_fills": self.fills,
            "ledger_hash": "ab" * 32,
            "metrics": {"sharpe": 1.25, "total_return": 1e-07, "max_drawdown": 0.1, "feed": {"bars": 390}},
            "prices": {each.symbol: repr(each.last) for each in self.portfolio.positions.values()},
        }
        return self.status(status, **{**figures, **columns})


def a_day_of_trading(run: Run) -> list[Record]:
    """A run from start to end, with every kind of row: fills of two symbols, a denial, a halt, a cancel."""
    trading = Trading(run)
    records = [trading.status("running", started_at="2024-01-02T03:04:05+00:00")]
    records += trading.filled_order()
    records += trading.filled_order(symbol="BAC", side=Side.SELL, qty=Decimal("2.5"))
    resting = trading.order(limit=Decimal("99.5"))
    records += [trading.intend(resting), trading.submit(resting)]
    records.append(trading.step(resting, OrderStatus.ACCEPTED, Kind.ORDER_ACCEPTED))
    records.append(trading.step(resting, OrderStatus.CANCELLED, Kind.ORDER_CANCELLED, "the feed ended"))
    denied = trading.order(qty=Decimal(10_000))
    denial = {"code": "buying_power", "figure": "1000000", "limit": "99000.5"}
    records.append(trading.step(denied, OrderStatus.DENIED, Kind.ORDER_DENIED, "buying_power: too much", denial))
    records.append(Record(Kind.RISK_HALTED, trading.now, reason="lost too much", data={"code": "max_daily_loss"}))
    records.append(trading.ending("halted"))
    return records


def interleaved(lives: Sequence[Iterator[Step]], choices: Sequence[int]) -> Iterator[Record]:
    """Take the next step of one life or another, as ``choices`` say, until all lives are over."""
    alive = list(lives)
    turn = 0
    while alive:
        life = alive[choices[turn % len(choices)] % len(alive)]
        turn += 1
        try:
            step = next(life)
        except StopIteration:
            alive.remove(life)
        else:
            yield step()
