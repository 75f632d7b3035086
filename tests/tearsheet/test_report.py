"""The tear sheet as a file."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput
from tests.trading.market import recipe, replay
from trading import actions
from trading.management.commands.backtest import Command
from trading.models import Run
from trading.tearsheet.report import NoFigures, report

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def serverless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of the tests run already."""
    monkeypatch.setattr(Command, "needs_servers", False)


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    return reader


def test_it_needs_nothing_but_itself(run: Run) -> None:
    document = report(run)
    reader = read(document)
    assert reader.links == []
    assert not {"script", "link", "iframe", "form"} & set(reader.tags)
    assert not re.search(r"url\(|@import|//[a-z]", document.partition("</style>")[0])


def test_it_holds_figures_charts_trades_and_the_recipe(run: Run) -> None:
    document = report(run)
    assert read(document).tags.count("svg") == 2 + 1 + 2  # equity, drawdown; results of trades; two symbols
    for shown in (str(run.pk), run.ledger_hash, "Sortino ratio", "SmaCrossStrategy", "Round trips", "plot__mark--buy"):
        assert shown in document


def test_the_page_hands_it_out_under_a_name_of_its_own(run: Run, operator: Client) -> None:
    answer = operator.get(f"/ui/backtests/{run.pk}/report/")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="crosses-{str(run.pk)[:8]}.html"'
    assert answer.content.decode().startswith("<!doctype html>")


def test_a_name_is_written_as_text(run: Run) -> None:
    run.name = "<script>alert(1)</script>"
    assert "<script>" not in report(run)


def test_the_command_line_writes_it(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "sheet.html"
    call_command("backtest", "report", str(run.pk), "--output", str(target))
    assert "</html>" in target.read_text()


def test_a_run_without_a_bar_has_nothing_to_report(bars: Path) -> None:
    waiting = actions.start_backtest(recipe(replay(bars)), principal=cli_principal(), enqueue=False)
    with pytest.raises(NoFigures, match="has no equity yet"):
        report(waiting)
    with pytest.raises(BadInput, match="has no equity yet"):
        call_command("backtest", "report", str(waiting.pk))


def test_a_folder_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written: No such file or directory"):
        call_command("backtest", "report", str(run.pk), "--output", str(tmp_path / "none" / "sheet.html"))
