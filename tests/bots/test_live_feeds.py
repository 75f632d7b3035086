"""A bot on live bars is tested on recorded ones, at the simulated venue."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from access.principals import cli_principal
from tests.trading.market import SYMBOLS, recipe, write_bars
from trading.bots import actions
from trading.engine.errors import InvalidValue
from trading.models import Run

pytestmark = pytest.mark.django_db(transaction=True)


def live() -> dict:
    parts = {"feed": {"class": "AlpacaFeed"}, "brokerage": {"class": "AlpacaBrokerage"}, "universe": list(SYMBOLS)}
    parts["brokerage"]["kwargs"] = {"starting_cash": 40_000}
    return {**recipe({}), **parts}


def test_a_bot_on_live_bars_is_backtested_on_a_file_and_may_trade_then(tmp_path: Path) -> None:
    bot = actions.save_bot("live", live(), principal=cli_principal())
    call_command("bot", "backtest", "live", "--data", str(write_bars(tmp_path / "bars.csv")))
    run = Run.objects.get()
    assert (run.status, run.venue, run.starting_cash) == ("completed", "sim", 40_000)
    assert run.metrics["sharpe"]
    session = actions.start_paper(bot, principal=cli_principal())
    assert (session.mode, session.venue, session.status) == ("paper", "alpaca", "queued")


def test_its_own_feed_has_nothing_to_test_it_on() -> None:
    bot = actions.save_bot("live", live(), principal=cli_principal())
    with pytest.raises(InvalidValue, match="AlpacaFeed is live; recorded bars are needed here: --data FILE"):
        actions.start_backtest(bot, principal=cli_principal())
