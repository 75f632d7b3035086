"""`alphaswarm ledger verify`, as a script sees it."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from alphaswarm_site.commands import ProductCommand
from tests.ledger.builders import a_day_of_trading, new_run
from tests.ledger.test_tampering import tamper
from trading import ledger
from trading.management.commands.ledger import Command
from trading.management.counting import Counting
from trading.models import LedgerEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alphaswarm(capsys, monkeypatch):
    """Run the command on the servers of the tests; its exit code and what it printed."""
    monkeypatch.setattr(ProductCommand, "needs_servers", False)

    def run(*arguments):
        try:
            Command().run_from_argv(["alphaswarm", "ledger", *arguments])
            code = 0
        except SystemExit as exit:
            code = exit.code
        return code, capsys.readouterr()

    return run


@pytest.fixture
def run():
    run = new_run()
    ledger.append_now(run.id, a_day_of_trading(run))
    ledger.anchor_heads()
    return run


def test_an_intact_ledger_ends_with_zero(alphaswarm, run):
    code, printed = alphaswarm("verify")
    assert code == 0
    assert printed.out.startswith("ok: 1 runs, ")


@pytest.mark.tampers
def test_a_difference_ends_with_one_and_is_named(alphaswarm, run):
    tamper("UPDATE runs SET cash = 5 WHERE id = %s", run.id)
    code, printed = alphaswarm("verify", str(run.id))
    assert code == 1
    assert f"run {run.id}, runs {run.id}, cash: expected" in printed.out


@pytest.mark.tampers
@pytest.mark.parametrize("tampered", [False, True])
def test_json_is_one_document(alphaswarm, run, tampered):
    if tampered:
        tamper("UPDATE fills SET fee = 5 WHERE run_id = %s", run.id)
    code, printed = alphaswarm("verify", "--json")
    document = json.loads(printed.out)
    assert (code, document["ok"], document["num_differences"] > 0) == (int(tampered), not tampered, tampered)


def test_an_unknown_run_is_bad_input(alphaswarm):
    assert alphaswarm("verify", "0" * 32)[0] == 2
    assert alphaswarm("verify", "not-an-id")[0] == 2


def test_with_since_only_runs_that_have_grown_are_read_again(run):
    written = LedgerEvent.objects.filter(run=run).count()
    assert ledger.verify(since=datetime.now(UTC) + timedelta(hours=1)).events == 0
    other = new_run()
    ledger.append_now(other.id, a_day_of_trading(other))
    since = LedgerEvent.objects.filter(run=other).first().recorded_at
    report = ledger.verify(since=since)
    assert (report.ok, report.runs, report.events) == (True, 1, written)


@pytest.mark.tampers
def test_with_since_the_anchors_of_all_are_checked_all_the_same(run, alphaswarm):
    tamper("UPDATE ledger_events SET hash = sha256(hash) WHERE run_id = %s", run.id)
    code, printed = alphaswarm("verify", "--since", "2999-01-01", "--json")
    assert (code, {each["check"] for each in json.loads(printed.out)["differences"]}) == (1, {"anchor"})


def test_a_copy_is_written_and_checked_by_the_command(run, alphaswarm, tmp_path):
    code, printed = alphaswarm("export", str(run.id), "--out", str(tmp_path / "copy"), "--format", "csv", "--json")
    assert (code, json.loads(printed.out)["rows"]["fills"]) == (0, 2)
    assert alphaswarm("verify", "--export", str(tmp_path / "copy"))[0] == 0
    (tmp_path / "copy" / "fills.csv").write_text("")
    assert alphaswarm("verify", "--export", str(tmp_path / "copy"))[0] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["export", "--out", "x"],
        ["export", "0" * 32, "--out", "x"],
        ["export", "--all", "--out", "/"],
        ["export", "--all", "--out", "x", "--from", "yesterday"],
        ["export", "--all", "--out", "x", "--from", "2024-01-02", "--to", "2024-01-02"],
        ["verify", "--export", "/"],
    ],
)
def test_what_cannot_be_done_is_bad_input(alphaswarm, wrong):
    assert alphaswarm(*wrong)[0] == 2


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_progress_tells_rate_and_time_left(stream):
    counting = Counting("events", stream)
    counting(0, 10)
    assert stream.getvalue() == ""
    counting._started, counting._next = counting._started - 10, 0
    counting(4_000, 10_000)
    told = stream.getvalue()
    assert "40%  4,000 of 10,000 events  400 a second  0:15 left" in told
    assert ("[############..................]" in told) == stream.isatty()
    counting.close()
    assert stream.getvalue().endswith("\r\033[K" if stream.isatty() else "left\n")
