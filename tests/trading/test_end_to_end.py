"""The main job, from a recipe to a kill, on a whole stack in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml
from websockets.sync.client import connect

from tests.environment import PROJECT
from tests.live import LiveStack
from tests.trading.market import MODEL, ladder, recipe, replay, synthetic, write_bars

SECONDS = 60.0


class Client:
    """The JSON API with a token."""

    def __init__(self, stack: LiveStack, scope: str) -> None:
        self.stack = stack
        self.token = stack.cli_json("token", "create", "--name", f"test-{scope}", "--scope", scope)["token"]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {self.token}"

    def get(self, path: str) -> Any:
        answer = self.session.get(self.stack.base_url + path, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        return self.session.post(self.stack.base_url + path, json=body or {}, headers=headers, timeout=20)

    def start(self, body: dict[str, Any]) -> dict[str, str]:
        answer = self.post("/paper/start", body)
        assert answer.status_code == 202, answer.text
        started: dict[str, str] = answer.json()
        return started

    def run(self, run_id: str) -> Any:
        return self.get(f"/paper/runs/{run_id}")


def eventually(look: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What ``look`` answers once it is true."""
    give_up = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < give_up, "it did not come to pass in time"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def trader(live_stack: LiveStack) -> Client:
    return Client(live_stack, "admin")


@pytest.fixture
def released(live_stack: LiveStack) -> Iterator[None]:
    """Leave the kill switch released, whatever the test does."""
    yield
    live_stack.cli("kill", "release", "--reason", "after a test")


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("bars") / "bars.csv")


@pytest.fixture
def config(tmp_path: Path, bars: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(replay(bars))))
    return path


def orders_of(client: Client, run_id: str, status: str) -> list[Any]:
    return [row for row in client.get(f"/paper/runs/{run_id}/orders")["items"] if row["status"] == status]


def owner_of(stack: LiveStack, run_id: str) -> int:
    """The id of the process that runs it."""
    lines = (stack.var / "env").read_text().splitlines()
    url = next(line.partition("=")[2] for line in lines if line.startswith("DATABASE_URL="))
    with psycopg.connect(url.strip("'\"")) as database:
        (owner,) = database.execute("SELECT owner FROM runs WHERE id = %s", [run_id]).fetchone()
    return int(owner.rpartition(":")[2])


def ended(client: Client, run_id: str) -> Any:
    return eventually(lambda: (row := client.run(run_id))["ended_at"] and row)


@pytest.mark.parametrize("strategy", ["SmaCrossStrategy", "MeanReversionStrategy"])
def test_backtest_shell_and_worker_leave_the_same_ledger(live_stack, trader, tmp_path, bars, strategy):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(replay(bars), strategy)))
    backtest = live_stack.cli_json("backtest", "run", "--config", str(path))
    shell = live_stack.cli_json("paper", "run", "--config", str(path))
    queued = live_stack.cli_json("paper", "run", "--config", str(path), "--celery")
    worker = ended(trader, queued["run_id"])
    assert backtest["status"] == shell["status"] == worker["status"] == "completed"
    assert backtest["fills"] == shell["fills"] == worker["num_fills"] > 0
    assert backtest["ledger_hash"] == shell["ledger_hash"] == worker["ledger_hash"]
    assert backtest["final_equity"] == shell["final_equity"] == worker["final_equity"]
    assert backtest["missing_minutes"] == shell["missing_minutes"] > 0


def test_the_books_verify(live_stack):
    assert live_stack.cli("ledger", "verify", timeout=120).returncode == 0


def test_a_run_is_laid_open_by_the_api(trader, bars):
    run = ended(trader, trader.start(recipe(replay(bars), max_bars=200))["paper_run_id"])
    assert run["status"] == "completed"
    assert run["num_bars"] == 200
    fills = trader.get(f"/paper/runs/{run['id']}/fills")["items"]
    assert len(fills) == run["num_fills"] > 0
    assert trader.get(f"/paper/runs/{run['id']}/equity")["items"]
    frames = trader.get(f"/paper/runs/{run['id']}/frames")["items"]
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    assert frames[0]["stage"] == "start"
    assert frames[-1]["stage"] == "done"
    assert {"signal.emitted", "order.placed", "order.filled", "equity.update"} <= {frame["stage"] for frame in frames}


def test_orders_page_by_page_are_all_orders(trader, bars):
    run = ended(trader, trader.start(recipe(replay(bars)))["paper_run_id"])
    path, seen, cursor = f"/paper/runs/{run['id']}/orders?limit=3", [], None
    while True:
        page = trader.get(path + (f"&cursor={cursor}" if cursor else ""))
        seen += [row["id"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(trader.get(f"/paper/runs/{run['id']}/orders?limit=1000")["items"])


def test_a_bad_recipe_is_told_field_by_field(trader):
    body = recipe(synthetic())
    body["strategy"]["kwargs"] = {"fast": 10, "slwo": 30}
    answer = trader.post("/paper/start", body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert "strategy.kwargs.slwo" in [error["field"] for error in answer.json()["errors"]]


def test_the_gate_refuses_with_every_reason_and_keeps_the_row(trader):
    body = recipe(synthetic())
    body["session"]["model_urn"] = MODEL + "_unknown"
    del body["session"]["pipeline_urn"]
    answer = trader.post("/paper/start", body)
    assert answer.status_code == 409
    document = answer.json()
    assert document["code"] == "gate_refused"
    assert len(document["reasons"]) == 2
    assert trader.run(document["paper_run_id"])["status"] == "blocked"


def test_the_same_idempotency_key_starts_one_run(trader):
    key = {"Idempotency-Key": "start-once"}
    answers = [trader.post("/paper/start", ladder(), **key) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["paper_run_id"] for answer in answers}) == 1
    trader.post(f"/paper/stop/{answers[0].json()['task_id']}")


def test_a_session_is_stopped_from_another_process(live_stack, trader):
    started = trader.start(ladder(levels=4))
    eventually(lambda: len(orders_of(trader, started["paper_run_id"], "accepted")) == 8)
    (row,) = live_stack.cli_json("paper", "stop", started["task_id"])["items"]
    assert row["status"] == "stopped"
    assert len(orders_of(trader, started["paper_run_id"], "cancelled")) == 8


def test_ctrl_c_drains_a_session_in_the_shell(live_stack, tmp_path):
    shell = in_shell(live_stack, tmp_path, ["manage.py", "paper", "run", "--json", "--config"], ladder())
    eventually(lambda: "running" in [row["status"] for row in live_stack.cli_json("paper", "status")["items"]])
    shell.send_signal(signal.SIGINT)
    out, err = shell.communicate(timeout=SECONDS)
    assert shell.returncode == 0, err
    assert json.loads(out)["status"] == "stopped"


def test_a_second_ctrl_c_leaves_a_session_that_cannot_drain_to_the_stack(live_stack, trader, tmp_path):
    hangs = tmp_path / "hangs"
    hangs.touch()
    document = recipe(synthetic(), "BlockingStrategy", strategy_kwargs={"file": str(hangs)})
    shell = in_shell(live_stack, tmp_path, ["-m", "bench.blocking"], document)
    eventually(lambda: "running" in [row["status"] for row in live_stack.cli_json("paper", "status")["items"]])
    (run,) = live_stack.cli_json("paper", "status")["items"]
    shell.send_signal(signal.SIGINT)
    assert "draining" in read_until(shell, "once more")
    shell.send_signal(signal.SIGINT)
    _, err = shell.communicate(timeout=SECONDS)
    assert (shell.returncode, "left at once" in err) == (128 + signal.SIGINT, True)
    assert ended(trader, run["id"])["status"] == "interrupted"


def in_shell(live_stack, folder, arguments, document):
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(document))
    return subprocess.Popen(
        [sys.executable, *arguments, str(path)],
        cwd=PROJECT,
        env=live_stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_until(shell, words):
    """What the shell says on its standard error, up to the line with these words or its end."""
    said = ""
    while words not in said and (line := shell.stderr.readline()):
        said += line
    return said


def test_a_browser_sees_every_frame_and_resumes_where_it_was(live_stack, trader):
    started = trader.start(ladder())
    address = live_stack.base_url.replace("http", "ws") + f"/ws/paper/{started['paper_run_id']}"
    headers = {"Authorization": f"Bearer {trader.token}"}
    with connect(address, additional_headers=headers, max_queue=None) as socket:
        first = [json.loads(socket.recv(timeout=20)) for _ in range(5)]
    with connect(f"{address}?after={first[-1]['seq']}", additional_headers=headers, max_queue=None) as socket:
        following = json.loads(socket.recv(timeout=20))
    assert first[0]["stage"] == "start"
    assert [frame["seq"] for frame in first] == [1, 2, 3, 4, 5]
    assert following["seq"] == 6
    trader.post(f"/paper/stop/{started['task_id']}")


def test_a_stream_can_be_followed_with_curl(live_stack, trader, bars):
    started = trader.start(recipe(replay(bars), max_bars=50))
    address = f"{live_stack.base_url}/chat/stream/{started['task_id']}"
    answer = requests.get(address, headers={"Authorization": f"Bearer {trader.token}"}, stream=True, timeout=20)
    data = [line for line in answer.iter_lines(decode_unicode=True) if line.startswith("data:")]
    assert json.loads(data[-1].removeprefix("data:"))["stage"] == "done"


def test_a_kill_cancels_everything_ends_every_session_and_lasts(live_stack, trader, released):
    runs = [trader.start(ladder())["paper_run_id"] for _ in range(3)]
    for run in runs:
        eventually(lambda run=run: len(orders_of(trader, run, "accepted")) == 10)
    answer = trader.post("/portfolio/kill_switch", {"engaged": True, "reason": "drill"})
    assert answer.status_code == 200
    for run in runs:
        assert ended(trader, run)["status"] == "killed"
        assert len(orders_of(trader, run, "cancelled")) == 10
    assert live_stack.cli_json("kill", "status")["engaged"] is True
    refused = trader.post("/paper/start", ladder())
    assert (refused.status_code, refused.json()["code"]) == (409, "kill_engaged")
    shell = live_stack.cli("paper", "run", "--config", "sim_sma_cross", "--json")
    assert (shell.returncode, json.loads(shell.stdout)["code"]) == (3, "kill_engaged")


def test_a_session_told_to_read_on_keeps_reading_but_places_nothing(live_stack, trader, released):
    started = trader.start(ladder(stop_on_kill_switch=False))
    eventually(lambda: len(orders_of(trader, started["paper_run_id"], "accepted")) == 10)
    trader.post("/portfolio/kill_switch", {"engaged": True, "reason": "drill"})
    eventually(lambda: len(orders_of(trader, started["paper_run_id"], "cancelled")) == 10)
    assert trader.run(started["paper_run_id"])["status"] == "running"
    trader.post(f"/paper/stop/{started['task_id']}")


def test_a_bot_needs_a_backtest_before_it_may_trade(trader, bars):
    bot = trader.post("/bots", {"name": "sma-bot", "recipe": recipe(replay(bars))}).json()
    refused = trader.post(f"/bots/{bot['id']}/paper", {"starting_cash": 50_000})
    assert refused.json()["code"] == "gate_refused"
    backtest = trader.post(f"/bots/{bot['id']}/backtest").json()
    row = eventually(lambda: (found := trader.get(f"/backtests/{backtest['run_id']}"))["ended_at"] and found)
    assert row["sharpe"]
    started = trader.post(f"/bots/{bot['id']}/paper", {"starting_cash": 50_000}).json()
    run = ended(trader, started["paper_run_id"])
    assert run["starting_cash"] == "50000"
    assert trader.get(f"/bots/{bot['id']}")["backtest_runs"][0]["sharpe"] == row["sharpe"]


def test_a_session_whose_worker_is_killed_goes_on_and_its_ledger_is_that_of_one_that_was_not(live_stack, trader):
    kwargs = {"seed": 5, "timeframe": "1Min", "pace": "1200x", "bars": 400}
    body = recipe({"class": "SyntheticFeed", "kwargs": kwargs})
    started, resting = trader.start(body)["paper_run_id"], trader.start(ladder())
    backtest = trader.post("/backtests", body).json()["run_id"]
    eventually(lambda: trader.run(started)["num_fills"] > 2)
    eventually(lambda: len(orders_of(trader, resting["paper_run_id"], "accepted")) == 10)
    live_stack.kill_program("--queues=live")
    run = ended(trader, started)
    assert run["status"] == "completed"
    assert run["ledger_hash"] == ended(trader, backtest)["ledger_hash"]
    frames = trader.get(f"/paper/runs/{started}/frames?limit=1000")["items"]
    assert [frame["stage"] for frame in frames].count("done") == 1
    eventually(lambda: trader.run(resting["paper_run_id"])["status"] == "running")
    assert len(orders_of(trader, resting["paper_run_id"], "accepted")) == 10
    trader.post(f"/paper/stop/{resting['task_id']}")


def test_a_backtest_whose_worker_is_killed_is_done_by_another_and_comes_to_the_same(live_stack, trader):
    kwargs = {"seed": 1, "timeframe": "1Min", "pace": "max", "bars": 150_000}
    body = recipe({"class": "SyntheticFeed", "kwargs": kwargs})
    ids = [trader.post("/backtests", body).json()["run_id"] for _ in range(2)]

    def shown(run_id, stage):
        return [frame for frame in trader.get(f"/paper/runs/{run_id}/frames")["items"] if frame["stage"] == stage]

    eventually(lambda: shown(ids[0], "bar.processed"))
    os.kill(owner_of(live_stack, ids[0]), signal.SIGKILL)
    eventually(lambda: "begun again" in (row := trader.get(f"/backtests/{ids[0]}"))["reason"] or row["ended_at"])
    lost, whole = (ended(trader, run_id) for run_id in ids)
    assert lost["status"] == whole["status"] == "completed"
    assert lost["ledger_hash"] == whole["ledger_hash"]
    eventually(lambda: shown(ids[0], "done"))
    assert shown(ids[0], "done")[-1]["result"]["ledger_hash"] == lost["ledger_hash"]


def test_workers_that_are_told_to_end_hand_over_what_they_run(live_stack, trader):
    endless = recipe(synthetic(pace="max"), max_bars=50_000_000)
    live, fast = trader.start(ladder()), trader.start(endless)
    backtest = trader.post("/backtests", endless).json()["run_id"]
    ids = [live["paper_run_id"], fast["paper_run_id"], backtest]
    eventually(lambda: len(orders_of(trader, live["paper_run_id"], "accepted")) == 10)
    eventually(lambda: all(trader.run(run_id)["status"] == "running" for run_id in ids))
    owners = [owner_of(live_stack, run_id) for run_id in ids]
    os.kill(owners[0], signal.SIGTERM)
    live_stack.signal_program("--queues=jobs", signal.SIGTERM)
    # The other live worker takes over at once; the one for jobs has to come back first.
    eventually(lambda: all(owner_of(live_stack, run_id) not in owners for run_id in ids), 2 * SECONDS)
    eventually(lambda: all(trader.run(run_id)["status"] == "running" for run_id in ids), 2 * SECONDS)
    assert len(orders_of(trader, live["paper_run_id"], "accepted")) == 10, "none was cancelled"
    for started in (live, fast):
        trader.post(f"/paper/stop/{started['task_id']}")
        assert ended(trader, started["paper_run_id"])["status"] == "stopped"
    assert live_stack.cli_json("backtest", "cancel", backtest)["status"] == "stopped"


def test_bad_data_starts_nothing_and_is_named_by_line(live_stack, trader, tmp_path):
    path = tmp_path / "bad.csv"
    rows = ["timestamp,symbol,open,high,low,close,volume", "2024-01-02T14:30:00Z,SPY,10,11,9,10,5"]
    path.write_text("\n".join([*rows, "2024-01-02T14:31:00Z,SPY,10,8,9,10,5"]) + "\n")
    before = [row["id"] for row in trader.get("/paper/runs")["items"]]
    body = recipe(replay(path)) | {"universe": ["SPY"]}
    answer = trader.post("/paper/start", body)
    assert answer.status_code == 422
    assert f"{path}, line 3" in answer.json()["detail"]
    shell = live_stack.cli("backtest", "run", "--config", "sim_sma_cross", "--data", str(path))
    assert shell.returncode == 2
    assert [row["id"] for row in trader.get("/paper/runs")["items"]] == before
