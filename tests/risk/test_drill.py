"""The whole way on a stack that is up: sessions with resting orders, a kill, and what is left."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from dotenv import dotenv_values

from tests.live import LiveStack
from tests.risk.waiting import eventually

SESSIONS = 2


@pytest.fixture
def trading(live_stack: LiveStack) -> Iterator[LiveStack]:
    """A stack with sessions that have orders resting at the venue; left released."""
    for _ in range(SESSIONS):
        live_stack.cli_json("paper", "run", "--config", "sim_limit_ladder", "--celery")
    with psycopg.connect(dotenv_values(live_stack.var / "env")["DATABASE_URL"], autocommit=True) as database:
        eventually(lambda: _count(database) >= SESSIONS, seconds=60)
    yield live_stack
    live_stack.cli_json("kill", "release", "--reason", "the drill is over")


def _count(database: psycopg.Connection) -> int:
    """The runs that have an order resting."""
    row = database.execute("SELECT count(DISTINCT run_id) FROM orders WHERE status = 'accepted'").fetchone()
    return row[0] if row else 0


def test_a_kill_leaves_no_session_and_no_open_order(trading: LiveStack) -> None:
    answer = trading.cli_json("kill", "engage", "--reason", "drill")
    print(f"kill of {SESSIONS} sessions: {answer['measured']}")
    assert answer["measured"]["unconfirmed"] == []
    assert answer["measured"]["confirmed"]
    assert trading.cli_json("paper", "status")["items"] == []
    assert trading.cli_json("kill", "status")["gate"] == "engaged"
    refused = trading.cli("paper", "run", "--config", "sim_limit_ladder", "--celery", "--json")
    assert refused.returncode == 3


def test_a_halt_of_one_session_ends_that_one_alone(trading: LiveStack) -> None:
    halted, other = trading.cli_json("paper", "status")["items"]
    first = halted["id"]
    answer = trading.cli_json("halt", "run", first, "--reason", "drill")
    print(f"halt of a session: gate {answer['halt']['gate_closed_ms']} ms, {answer['items']}")
    [row] = [row for row in answer["items"] if row["runtime"] == "paper"]
    assert (row["count"], row["confirmed"]) == (1, True)
    ended = trading.cli_json("paper", "status", halted["task_id"])
    assert (ended["status"], ended["reason"]) == ("killed", f"run {first} is halted: drill")
    assert [item["id"] for item in trading.cli_json("paper", "status")["items"]] == [other["id"]]
    released = trading.cli_json("halt", "release", str(answer["halt"]["id"]), "--reason", "the drill is over")
    assert released["may_trade_again"]["would_trade"] == 0
    assert trading.cli_json("halt", "list")["items"] == []
    trading.cli_json("paper", "stop", "--all")
