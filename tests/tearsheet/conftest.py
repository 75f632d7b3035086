"""A backtest that was run to its end, and people who look at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from access import actions as accounts
from access.principals import cli_principal
from tests.trading.market import recipe, replay, write_bars
from trading import actions, host
from trading.models import Run


@pytest.fixture
def operator(transactional_db: None) -> Client:
    client = Client()
    client.force_login(accounts.create_operator("operator", "correct horse battery"))
    return client


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "bars.csv")


def backtest(bars: Path, name: str = "crosses", **changes: Any) -> Run:
    written = recipe(replay(bars), name=name)
    written["brokerage"]["kwargs"] |= {"slippage": {"bps": 2}, "fees": {"per_order": 1}}
    run = actions.start_backtest(written | changes, principal=cli_principal(), enqueue=False)
    host.run_backtest(run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def run(transactional_db: None, bars: Path) -> Run:
    return backtest(bars)
