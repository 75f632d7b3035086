"""How far a session is from its own backtest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from django.test import Client

from access import actions
from tests.pages.conftest import client_of
from tests.replay.test_replay import made, row
from tests.trading.market import recipe, write_bars
from tests.trading.market import replay as replay_feed
from tests.trading.sessions import Gatehouse, gatehouse
from trading.engine.errors import InvalidValue
from trading.models import Mode, Run, RunBars
from trading.replay.parity import parity

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Gatehouse]:
    with gatehouse(tmp_path_factory.mktemp("gate") / "gate") as house:
        yield house


@pytest.fixture
def run(house: Gatehouse, tmp_path_factory: pytest.TempPathFactory) -> Run:
    bars = write_bars(tmp_path_factory.mktemp("bars") / "bars.csv", minutes=120)
    document = recipe(replay_feed(bars))
    done = made(house, document)
    asyncio.run(done.run())
    return row(done)


def otherwise(run: Run, section: str, **kwargs: object) -> Run:
    """The run as if its recipe had said something else, which its backtest then does."""
    run.recipe[section]["kwargs"] |= kwargs
    return run


def test_a_session_at_the_simulated_venue_has_not_drifted(run: Run) -> None:
    report = parity(run)
    assert report.same
    assert report.fills[0] == report.matched > 2
    assert (report.worse_bps, report.drift) == (0, 0)


def test_prices_fees_and_equity_apart_are_told(run: Run) -> None:
    report = parity(otherwise(run, "brokerage", slippage={"bps": 10}, fees={"per_order": 1}))
    assert not report.same
    assert report.matched == report.fills[0] == report.fills[1]
    assert report.worse_bps == pytest.approx(-10, abs=2), "the session had no slippage; ticks are coarse"
    assert report.fees[1] - report.fees[0] == report.fills[1]
    assert report.drift is not None
    assert report.gap is not None
    assert 0 < report.fees[1] < report.drift
    assert report.gap.amount == pytest.approx(float(report.drift), rel=0.5)


def test_a_fill_that_the_other_does_not_have_is_not_matched(run: Run) -> None:
    report = parity(otherwise(run, "strategy", fast=2))
    assert report.fills[1] > report.fills[0] >= report.matched
    assert not report.same


def test_it_is_shown_on_the_run_and_told_by_the_api(run: Run) -> None:
    operator = client_of(actions.create_operator("operator", "correct horse battery"))
    assert "No drift" in shown(operator, run)
    assert operator.post(f"/paper/runs/{run.pk}/parity").json()["same"] is True


def shown(client: Client, run: Run) -> str:
    return client.post(f"/ui/runs/{run.pk}/parity/", headers={"HX-Request": "true"}).content.decode()


def test_a_backtest_and_a_run_without_its_bars_cannot_be_compared(run: Run) -> None:
    with pytest.raises(InvalidValue, match="replay it instead"):
        parity(Run(mode=Mode.BACKTEST))
    RunBars.objects.filter(run=run).delete()
    with pytest.raises(InvalidValue, match="kept"):
        parity(run)
