"""How many orders a second go through the ledger, with 1, 20 and 100 runs in a commit, and how long a bulk takes.

An order is two commits: its intent alone, then submitted, accepted and filled together. The runs that it writes stay in
the ledger, so give it one of its own:
ALPHASWARM_VAR=/tmp/scratch .venv/bin/python bench/ledger.py
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")

import django

django.setup()

from alphaswarm_site.stack.running import ensure_running  # noqa: E402
from trading import ledger  # noqa: E402
from trading.connections import connect  # noqa: E402
from trading.engine.orders import OrderRecord, OrderStatus, OrderType, Side, TimeInForce  # noqa: E402
from trading.engine.portfolio import Portfolio  # noqa: E402
from trading.engine.records import Fill, Kind, Record  # noqa: E402
from trading.models import Mode, Run  # noqa: E402

SECONDS = 4.0
BULK_ORDERS = 6_250


def new_run() -> Run:
    return Run.objects.create(
        task_id=str(uuid.uuid4()), name="bench", mode=Mode.BACKTEST, recipe={}, starting_cash=Decimal(1_000_000)
    )


def order_lives(run: Run) -> Iterator[tuple[list[Record], list[Record]]]:
    """Endless round trips of one symbol: an order's intent, and what becomes of it."""
    portfolio = Portfolio(Decimal(1_000_000))
    for number in range(1, sys.maxsize):
        side = Side.BUY if number % 2 else Side.SELL
        qty, price, fee, moment = Decimal(10), Decimal("101.37") + number % 7, Decimal("0.35"), number * 60 * 10**9
        order_id = f"{run.id.hex}-{number}"
        order = OrderRecord(
            id=order_id,
            client_order_id=order_id,
            symbol="SPY",
            side=side,
            qty=qty,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            limit_price=None,
            created_at=moment,
            signal=side.value,
        )
        held = portfolio.trade("SPY", side, qty, price, fee)
        fill = Fill(
            execution_id=f"x{number}",
            symbol="SPY",
            side=side,
            qty=qty,
            price=price,
            fee=fee,
            cash=portfolio.cash,
            position_qty=held.qty,
            position_cost=held.cost,
            position_avg_price=held.avg_price,
            realized_pnl=held.realized_pnl,
            order_status=OrderStatus.FILLED,
            order_filled_qty=qty,
            order_avg_price=price,
        )
        yield (
            [Record(Kind.ORDER_INTENDED, moment, order)],
            [
                Record(Kind.ORDER_SUBMITTED, moment, order),
                Record(Kind.ORDER_ACCEPTED, moment, order),
                Record(Kind.ORDER_FILLED, moment, order, fill),
            ],
        )


def orders_a_second(runs: int) -> float:
    lives = {run.id: order_lives(run) for run in (new_run() for _ in range(runs))}
    with connect(autocommit=True) as database:
        orders, started = 0, time.perf_counter()
        while time.perf_counter() - started < SECONDS:
            round_of_orders = {run_id: next(life) for run_id, life in lives.items()}
            for half in (0, 1):
                batch = [ledger.Append(run_id, None, life[half]) for run_id, life in round_of_orders.items()]
                ledger.append(database, batch)
            orders += runs
        return orders / (time.perf_counter() - started)


def bulk_seconds() -> float:
    run = new_run()
    lives = order_lives(run)
    records = [record for _ in range(BULK_ORDERS) for half in next(lives) for record in half]
    started = time.perf_counter()
    ledger.append_now(run.id, records)
    return time.perf_counter() - started


def main() -> None:
    with ensure_running():
        for runs in (1, 20, 100):
            print(f"{runs:4d} runs a commit: {orders_a_second(runs):8,.0f} orders/s", flush=True)
        print(f"{BULK_ORDERS * 4:,} records at once: {bulk_seconds():.2f} s", flush=True)
        report = ledger.verify()
        print(f"verified {report.events:,} events in {report.seconds:.1f} s: {'ok' if report.ok else 'DIFFERENCES'}")


if __name__ == "__main__":
    main()
