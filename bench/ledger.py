"""How many orders a second go through the ledger, with 1, 20 and 100 runs in a commit, how long a bulk takes, and what
`alphaswarm ledger verify` takes of time and memory: `python -m bench.ledger --events 100000 1000000`.

An order is two commits: its intent alone, then submitted, accepted and filled together. The runs that it writes stay in
the ledger, so give it one of its own: `ALPHASWARM_VAR=/tmp/scratch`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal

from bench import figures

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")

import django

django.setup()

from alphaswarm_site.stack.running import ensure_running  # noqa: E402
from trading import ledger  # noqa: E402
from trading.connections import connect  # noqa: E402
from trading.engine.orders import OrderRecord, OrderStatus, OrderType, Side, TimeInForce  # noqa: E402
from trading.engine.portfolio import Portfolio  # noqa: E402
from trading.engine.records import Fill, Kind, Record  # noqa: E402
from trading.models import LedgerEvent, Mode, Run  # noqa: E402

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


def fill_up(events: int) -> None:
    """Have as many events in the ledger, in runs of `BULK_ORDERS` orders each."""
    while LedgerEvent.objects.count() < events:
        bulk_seconds()
        ledger.anchor_heads()


def verification(table: figures.Figures, events: int) -> None:
    """The command as a person runs it: a process of its own, whose peak memory the kernel tells."""
    command = [sys.executable, "manage.py", "ledger", "verify"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("the ledger differs")
    table.add(f"verify {events:>9,} events", "s", [time.perf_counter() - started])
    table.add(f"verify {events:>9,} events: peak memory", "MB", [used.ru_maxrss / 1024])


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--events", type=int, nargs="*", default=[], help="verify a ledger of as many, rising")
    options = parser.parse_args()
    table = figures.Figures("ledger", options.json)
    with ensure_running():
        if not options.events:
            for runs in (1, 20, 100):
                table.add(f"{runs:>3} runs a commit: orders", "a second", [orders_a_second(runs)])
            table.add(f"{BULK_ORDERS * 4:,} records at once", "s", [bulk_seconds()])
        for events in sorted(options.events):
            fill_up(events)
            verification(table, LedgerEvent.objects.count())
    table.show()


if __name__ == "__main__":
    main()
