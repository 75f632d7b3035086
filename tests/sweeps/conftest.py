from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages.conftest import operator, viewer  # noqa: F401
from tests.trading.market import recipe, replay, write_bars
from trading.sweeps import running

SPEC: dict[str, Any] = {"parameters": {"fast": [2, 5, 8], "slow": [8, 20]}}


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("sweeps") / "bars.csv", minutes=400)


@pytest.fixture
def crossover(bars: Path) -> dict[str, Any]:
    """A recipe whose strategy takes fast, slow and quantity."""
    return recipe(replay(bars), name="crossover")


@pytest.fixture(autouse=True)
def nothing_read() -> Iterator[None]:
    yield
    running._material.clear()
