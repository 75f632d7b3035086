from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import pytest

from tests.faults.stack import Rig, rig
from tests.frames.conftest import make_publisher, publisher, run_id, server
from tests.trading.sessions import Gatehouse, gatehouse
from tests.trading.test_account_book import books, writer
from trading import account_book

__all__ = ["books", "make_publisher", "publisher", "run_id", "server", "writer"]


#: What a test of a fault may take, with the start of its stack; ``pytest.mark.faults(seconds=...)`` gives it more.
MOST_SECONDS = 240


@pytest.fixture(autouse=True)
def limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """End a test that hangs, so that the others have their turn."""
    marked = request.node.get_closest_marker("faults")
    seconds = marked.kwargs.get("seconds", MOST_SECONDS) if marked else MOST_SECONDS

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the test took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def whole() -> Iterator[Rig]:
    """The stack under test, started once."""
    with rig() as made:
        yield made


@pytest.fixture
def stack(whole: Rig) -> Iterator[Rig]:
    """The stack, with all its wires whole, which is asked O1 to O7 about every run of the test at its end."""
    whole.runs.clear()
    began = datetime.now(UTC).isoformat()
    yield whole
    oracle = whole.oracle
    whole.settle()
    oracle.check()
    assert whole.stack.cli_json("ledger", "verify", "--since", began, timeout=120)["ok"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Gatehouse]:
    """A gate and a ledger of the test's own, for sessions in this process."""
    with gatehouse(tmp_path / "gate") as made:
        yield made
        account_book.close()
