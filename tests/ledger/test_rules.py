"""What the database itself sees to, whoever is connected."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from tests.ledger.builders import a_day_of_trading, new_run
from trading import ledger
from trading.models import Bot, BotVersion

pytestmark = pytest.mark.django_db

TABLES = [
    "ledger_events",
    "ledger_anchors",
    "ledger_heads",
    "orders",
    "fills",
    "positions",
    "equity_points",
    "equity_curves",
    "risk_events",
]


@pytest.mark.parametrize("verb", ["UPDATE {} SET run_id = run_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", TABLES)
def test_the_database_refuses_changes_to_what_was_written(table, verb):
    refused = pytest.raises(DatabaseError, match="refused")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(verb.format(table))


def test_after_an_append_the_same_transaction_may_not_change_a_projection():
    run = new_run()
    with pytest.raises(DatabaseError, match="outside of an append"), transaction.atomic():
        ledger.append_now(run.id, [], state={"positions": [{"symbol": "SPY", "last_price": "99"}]})
        run.orders.update(status="filled")


def test_a_version_of_a_bot_is_never_changed():
    version = BotVersion.objects.create(bot=Bot.objects.create(name="b"), number=1, recipe={}, sha256="")
    version.number = 2
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        version.save()


def test_sql_users_find_their_names():
    backtest, paper = new_run(mode="backtest"), new_run()
    for run in (backtest, paper):
        ledger.append_now(run.id, a_day_of_trading(run))
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, sharpe, total_return, max_drawdown, num_fills FROM backtest_runs")
        assert cursor.fetchall() == [(backtest.id, 1.25, 1e-07, 0.1, 2)]
        cursor.execute("SELECT id, mode, status, starting_cash, num_fills, ended_at IS NULL FROM paper_trading_runs")
        assert cursor.fetchall() == [(paper.id, "paper", "halted", Decimal(100_000), 2, False)]
        cursor.execute("SELECT DISTINCT paper_run_id, price, fee FROM paper_fills")
        assert cursor.fetchall() == [(paper.id, Decimal("101.37"), Decimal("0.35"))]
