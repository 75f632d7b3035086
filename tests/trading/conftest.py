from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trading.sessions import Gatehouse, gatehouse
from trading import account_book


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path / "gate") as house:
        yield house
        account_book.close()
