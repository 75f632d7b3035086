"""`alphaswarm ledger verify`, as a script sees it."""

import json

import pytest

from alphaswarm_site.commands import ProductCommand
from tests.ledger.builders import a_day_of_trading, new_run
from tests.ledger.test_tampering import tamper
from trading import ledger
from trading.management.commands.ledger import Command

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


def test_a_difference_ends_with_one_and_is_named(alphaswarm, run):
    tamper("UPDATE runs SET cash = 5 WHERE id = %s", run.id)
    code, printed = alphaswarm("verify", str(run.id))
    assert code == 1
    assert f"run {run.id}, runs {run.id}, cash: expected" in printed.out


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
