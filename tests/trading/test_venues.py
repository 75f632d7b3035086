"""Sessions at the real adapters, on a whole stack, against stub venues that keep a journal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from brokers.ibkr.adapter import InteractiveBrokersBrokerage
from tests.environment import PROJECT
from tests.live import LiveStack
from tests.trading.places import SYMBOL, Market, Tws, open_market
from tests.trading.test_end_to_end import Client, ended, eventually, orders_of

LADDER = {"class": "LimitLadderStrategy", "kwargs": {"levels": 3, "step_bps": 100, "quantity": 2}}
#: Trades at every bar whose close is on the other side of the one before.
NERVOUS = {"class": "SmaCrossStrategy", "kwargs": {"fast": 1, "slow": 2, "quantity": 1}}


@pytest.fixture
def market(request) -> Iterator[Market]:
    with open_market(request.param) as market:
        yield market


each_venue = pytest.mark.parametrize("market", ["alpaca", "ibkr", "tradier"], indirect=True)


@pytest.fixture(scope="module")
def trader(live_stack: LiveStack) -> Client:
    return Client(live_stack, "trade")


@pytest.fixture
def released(live_stack: LiveStack) -> Iterator[None]:
    yield
    live_stack.cli("kill", "release", "--reason", "after a test")


@contextmanager
def shell(stack: LiveStack, config: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`alphaswarm paper run` in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "paper", "run", "--config", config, "--json"],
        cwd=PROJECT,
        env={**stack.environment, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def written(recipe: dict[str, Any], folder: Path) -> str:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return str(path)


def filled(rows: list[dict[str, Any]]) -> list[tuple[str, Decimal, Decimal]]:
    """Client order id, quantity and price. The stub of TWS journals its own number behind the id."""
    return sorted(
        (row["client_order_id"].partition("#")[0], Decimal(row["qty"]), Decimal(row["price"])) for row in rows
    )


def fills_of(trader: Client, run_id: str) -> list[tuple[str, Decimal, Decimal]]:
    """The ledger's fills, by client order id."""
    orders = trader.get(f"/paper/runs/{run_id}/orders?limit=1000")["items"]
    names = {row["id"]: row["client_order_id"] for row in orders}
    rows = trader.get(f"/paper/runs/{run_id}/fills?limit=1000")["items"]
    return filled([{**row, "client_order_id": names[row["order_id"]]} for row in rows])


@each_venue
def test_a_session_in_a_shell_leaves_the_fills_that_the_venue_journalled(live_stack, trader, market, tmp_path):
    with shell(live_stack, written(market.recipe(LADDER, "in a shell"), tmp_path)) as process:
        orders = market.orders_once(3)
        run_id = orders[0]["client_order_id"].partition("-")[0]
        market.stub.trade(SYMBOL, "98.50")
        eventually(lambda: trader.get(f"/paper/runs/{run_id}/fills")["items"])
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=40)
    summary = json.loads(out)
    assert (summary["status"], summary["reason"]) == ("stopped", "stopped by an operator")
    assert fills_of(trader, run_id) == filled(market.journal("fill"))
    assert [fill["price"] for fill in market.journal("fill")] == [Decimal("98.50")]
    assert len(orders_of(trader, run_id, "cancelled")) == 2
    assert live_stack.cli_json("ledger", "verify", run_id)["ok"]


@each_venue
def test_a_session_of_a_worker_outlives_the_streams_and_is_stopped_by_the_kill(live_stack, trader, market, released):
    started = trader.start(market.recipe(LADDER, "in a worker"))
    run_id = started["paper_run_id"]
    market.orders_once(3)
    market.drop()
    market.stub.trade(SYMBOL, "98.50")
    eventually(lambda: trader.get(f"/paper/runs/{run_id}/fills")["items"])
    eventually(lambda: len(orders_of(trader, run_id, "accepted")) == 2)
    live_stack.cli_json("kill", "engage", "--reason", "a test")
    run = ended(trader, run_id)
    assert (run["status"], run["reason"]) == ("killed", "kill switch engaged")
    assert [entry["status"] for entry in market.journal("end")] == ["canceled", "canceled"]
    assert fills_of(trader, run_id) == filled(market.journal("fill"))
    assert len(market.journal("order")) == 3
    replayed = trader.post(f"/paper/runs/{run_id}/replay").json()
    assert replayed["same"], replayed["difference"]


@pytest.mark.parametrize("market", ["alpaca", "ibkr"], indirect=True)
def test_no_order_reaches_the_venue_after_a_kill(live_stack, trader, market, released):
    started = trader.start(market.recipe(NERVOUS, "nervous"))
    over = threading.Event()

    def move() -> None:
        close = 100.0
        while not over.wait(0.1):
            close = 201.0 - close
            market.bar(close)

    moving = threading.Thread(target=move)
    moving.start()
    try:
        eventually(lambda: len(market.journal("order")) >= 5)
        live_stack.cli_json("kill", "engage", "--reason", "a test")
        killed_at = datetime.now(UTC)
        run = ended(trader, started["paper_run_id"])
    finally:
        over.set()
        moving.join()
    assert run["status"] == "killed"
    orders = market.journal("order")
    assert max(datetime.fromisoformat(order["at"]) for order in orders) < killed_at
    assert {order["id"] for order in orders} <= {one["id"] for one in market.journal("fill") + market.journal("end")}
    assert fills_of(trader, run["id"]) == filled(market.journal("fill"))


@each_venue
def test_a_kill_cuts_off_a_row_of_orders_and_takes_back_what_has_left(live_stack, trader, market, released):
    """One bar makes the strategy send fifty, one after the other."""
    market.answer_late(0.03)
    strategy = {"class": "LimitLadderStrategy", "kwargs": {"levels": 50, "step_bps": 10, "quantity": 1}}
    run_id = trader.start(market.recipe(strategy, "a row of orders"))["paper_run_id"]
    market.orders_once(5)
    killed_at = datetime.now(UTC)
    trader.post("/portfolio/kill_switch", {"engaged": True, "reason": "a test"})
    assert ended(trader, run_id)["status"] == "killed"

    orders, ends = market.journal("order"), market.journal("end")
    assert 5 <= len(orders) < 50
    assert {one["id"] for one in ends} == {one["id"] for one in orders}
    late = [datetime.fromisoformat(max(one["at"] for one in told)) - killed_at for told in (orders, ends)]
    assert max(late) < timedelta(seconds=0.25)


@each_venue
def test_the_shipped_recipe_trades_at_its_venue(live_stack, trader, market, tmp_path):
    name, symbol = market.shipped
    recipe = yaml.safe_load((PROJECT / name).read_text())
    # The stub's market is open whatever the day.
    recipe["risk"]["trade_when_closed"] = True
    for known in ("AAPL", "MSFT", "SPY", "IBM"):
        market.stub.trade(known, "100")

    def fallen() -> Any:
        market.fall(symbol)
        return market.journal("fill")

    with shell(live_stack, written(recipe, tmp_path), **market.addresses) as process:
        orders = eventually(fallen)
        run_id = orders[0]["client_order_id"].partition("-")[0]
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=40)
    summary = json.loads(out)
    assert (summary["status"], summary["reason"]) == ("stopped", "stopped by an operator")
    assert fills_of(trader, run_id) == filled(market.journal("fill"))


@each_venue
def test_what_a_venue_does_not_accept_ends_the_run_and_says_what_to_set(live_stack, market, tmp_path):
    taken = None
    if isinstance(market, Tws):
        # There are no credentials: what can be wrong is a client id that another program has.
        taken = InteractiveBrokersBrokerage(port=market.stub.port, **market.wrong)
        taken.connect()
    with shell(live_stack, written(market.recipe(LADDER, "refused", **market.wrong), tmp_path)) as process:
        out, _ = process.communicate(timeout=40)
    if taken is not None:
        taken.close()
    summary = json.loads(out)
    assert (process.returncode, summary["status"]) == (1, "failed")
    assert "ALPHASWARM_" in summary["reason"]
    assert "wrong" not in summary["reason"]
    assert not market.journal("order")
