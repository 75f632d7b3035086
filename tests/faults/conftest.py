from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stack import Rig, rig
from tests.frames.conftest import make_publisher, publisher, run_id, server
from tests.trading.sessions import Gatehouse, gatehouse
from tests.trading.test_account_book import books, writer
from trading import account_book

__all__ = ["books", "make_publisher", "publisher", "run_id", "server", "writer"]


@pytest.fixture(scope="session")
def whole() -> Iterator[Rig]:
    """The stack under test, started once."""
    with rig() as made:
        yield made


@pytest.fixture
def stack(whole: Rig) -> Iterator[Rig]:
    """The stack, with all its wires whole, which is asked O1 to O7 about every run of the test at its end."""
    whole.runs.clear()
    yield whole
    runs, oracle = tuple(whole.runs), whole.oracle
    whole.settle()
    oracle.check()
    for run in runs:
        assert whole.stack.cli_json("ledger", "verify", run, timeout=120)["ok"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Gatehouse]:
    """A gate and a ledger of the test's own, for sessions in this process."""
    with gatehouse(tmp_path / "gate") as made:
        yield made
        account_book.close()
