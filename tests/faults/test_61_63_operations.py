"""What an operator does to a whole stack on purpose: restart it, update it, bring it back from a backup."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.faults.stack import Rig, rig
from tests.faults.venue import PRICE, Venue, venue
from tests.trading.test_end_to_end import Client, eventually

ACCOUNT = "alpaca-paper"


@contextmanager
def watched(stack: Rig, run_id: str) -> Iterator[list[int]]:
    """The numbers of a run's frames as a browser sees them, that comes back by its last one whenever it is cut off."""
    seen: list[int] = []
    over = threading.Event()
    address = f"{stack.stack.base_url.replace('http', 'ws')}/ws/paper/{run_id}"
    headers = {"Authorization": f"Bearer {stack.client.token}"}

    def look() -> None:
        after = f"?after={seen[-1]}" if seen else "?after=0"
        with connect(address + after, additional_headers=headers, max_queue=None) as browser:
            while not over.is_set():
                seen.append(json.loads(browser.recv(timeout=5))["seq"])

    def watch() -> None:
        while not over.is_set():
            with suppress(OSError, WebSocketException):
                look()
            over.wait(0.2)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield seen
        finally:
            over.set()
            watching.result(30)


@pytest.mark.faults(seconds=600)
@pytest.mark.parametrize("arguments", [[], ["--migrate"]], ids=["61 one by one", "62 migrate"])
def test_61_62_a_restart_under_load_ends_no_session_and_loses_no_order(stack: Rig, arguments: list[str]) -> None:
    runs = [stack.start(stack.venue.trading()) for _ in range(2)]
    resting = stack.start(stack.venue.resting(levels=3))
    stack.has_sent(resting, 3)
    with watched(stack, runs[0]) as seen:
        eventually(lambda: seen)
        done = stack.stack.cli("restart", *arguments, timeout=500)
        assert done.returncode == 0, done.stderr
        for run_id in runs:
            stack.goes_on(run_id)
        stack.comes_to(resting, "running")
        last = stack.last_frame(runs[0])
        eventually(lambda: seen[-1] >= last)
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    ended = {entry["client_order_id"] for entry in stack.venue.entries("end")}
    assert not ended & {order["client_order_id"] for order in stack.venue.orders_of(resting)}
    assert len(stack.venue.orders_of(resting)) == 3
    for run_id in (*runs, resting):
        stack.stop(run_id)


@pytest.mark.faults(seconds=600)
def test_63_a_stack_that_is_restored_is_held_against_its_venue_before_it_trades(tmp_path: Path) -> None:
    with venue(tmp_path) as place:
        resting = lost_after_a_backup(tmp_path / "backup", place)
        with rig(place) as stack:
            restored = stack.stack.cli_json("restore", str(tmp_path / "backup"), timeout=120)
            assert restored["interrupted"] == 2
            # Tokens are those of the backup.
            stack.client = Client(stack.stack, "admin")
            assert stack.stack.cli_json("ledger", "verify", timeout=120)["ok"]
            assert stack.stack.cli_json("kill", "status")["engaged"]
            assert refused(stack) == "kill_engaged"
            # What became of the orders that the backup knows is asked of the venue, and booked.
            eventually(lambda: stack.row(resting, "num_fills") == 3)
            stack.release()
            assert stack.row(resting, "status") == "interrupted"
            trades_once_it_is_explained(stack)
        # Of what was sent after the backup nothing was sent again, and nobody traded in the old runs' names.
        names = [order["client_order_id"] for order in place.entries("order")]
        assert len(names) == len(set(names))


def lost_after_a_backup(file: Path, place: Venue) -> str:
    """Two runs at a backup, of which one sends more orders after it and the orders of the other fill, until the machine
    is lost with all that it knew; the id of the other."""
    with rig(place) as stack:
        resting, trading = stack.start(stack.venue.resting(levels=3)), stack.start(stack.venue.trading())
        stack.has_sent(resting, 3)
        stack.has_sent(trading, 3)
        stack.stack.cli_json("backup", "--out", str(file), timeout=120)
        place.trade("1")
        eventually(lambda: stack.row(resting, "num_fills") == 3)
        place.trade(PRICE)
        stack.goes_on(trading)
        # What they do while they are ended reaches nobody.
        place.wire.refuse()
        stack.database_wire.refuse()
    place.wire.restore()
    return resting


def refused(stack: Rig) -> str:
    """With which code a new run is refused."""
    answer: dict[str, Any] = stack.client.post("/paper/start", stack.venue.trading()).json()
    return str(answer["code"])


def unexplained(stack: Rig) -> list[dict[str, Any]]:
    """The differences that wait for a person."""
    found: list[dict[str, Any]] = stack.client.get("/reconciliation?state=open")["items"]
    return found


def trades_once_it_is_explained(stack: Rig) -> None:
    """A new session asks its venue first, and opens nothing until a person has said what the rest is."""
    run_id = stack.start(stack.venue.resting(levels=3))
    found = eventually(lambda: unexplained(stack))
    assert {one["account"] for one in found} == {ACCOUNT}
    assert "order" in {one["kind"] for one in found}
    orders = f"/paper/runs/{run_id}/orders"
    eventually(lambda: {order["status"] for order in stack.client.get(orders)["items"]} == {"denied"})
    assert not stack.venue.orders_of(run_id)
    for one in found:
        if one["kind"] == "order":
            adopted = stack.stack.cli("reconcile", "adopt", str(one["id"]), "--reason", "sent after the backup")
            assert adopted.returncode == 0, adopted.stderr
    # They say where the money and the units are.
    eventually(lambda: not unexplained(stack))
    stack.stop(run_id)
    again = stack.start(stack.venue.resting(levels=3))
    stack.has_sent(again, 3)
    stack.stop(again)
