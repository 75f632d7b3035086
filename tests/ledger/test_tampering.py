"""Whatever is changed behind the ledger's back, a verification names it: run, table, row and column."""

from decimal import Decimal

import numpy as np
import pytest

from tests.database import superuser_connection
from tests.ledger.builders import NINE_THIRTY, a_day_of_trading, new_run
from trading import ledger

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.tampers]


def tamper(statement, *parameters):
    """As somebody who may do anything."""
    with superuser_connection() as superuser:
        superuser.execute("SET session_replication_role = replica")
        assert superuser.execute(statement, parameters).rowcount > 0


COLUMNS = {
    "ledger_events": [
        ("seq", "seq + 100"),
        ("kind", "'order.accepted'"),
        ("event_time", "event_time + interval '1 microsecond'"),
        ("recorded_at", "recorded_at - interval '1 microsecond'"),
        ("payload", "jsonb_set(payload, '{time}', '1')"),
        ("payload", """payload || '{"reason": "another"}'"""),
        ("payload", "'[]'"),
        ("hash", "sha256(hash)"),
    ],
    "ledger_heads": [
        ("seq", "seq - 1"),
        ("hash", "sha256(hash)"),
    ],
    "ledger_anchors": [
        ("seq", "seq - 1"),
        ("head_hash", "sha256(head_hash)"),
        ("hash", "sha256(hash)"),
        ("created_at", "created_at + interval '1 second'"),
        ("id", "id + 1"),
    ],
    "orders": [
        ("client_order_id", "id || '-mine'"),
        ("venue_order_id", "'v'"),
        ("symbol", "'QQQ'"),
        ("side", "'sold'"),
        ("type", "'stop'"),
        ("time_in_force", "'day'"),
        ("qty", "qty + 0.000000000001"),
        ("filled_qty", "filled_qty + 1"),
        ("limit_price", "1"),
        ("stop_price", "1"),
        ("avg_fill_price", "1"),
        ("status", "'replaced'"),
        ("signal", "'flat'"),
        ("reason", "'because'"),
        ("seq", "seq + 50"),
        ("created_at", "created_at - interval '1 day'"),
        ("updated_at", "updated_at - interval '1 day'"),
    ],
    "fills": [
        ("venue_execution_id", "venue_execution_id || 'b'"),
        ("symbol", "'QQQ'"),
        ("side", "'sold'"),
        ("qty", "qty + 0.000000000001"),
        ("price", "price - 0.000000000001"),
        ("fee", "fee + 0.01"),
        ("seq", "seq + 50"),
        ("filled_at", "filled_at + interval '1 second'"),
    ],
    "positions": [
        ("symbol", "symbol || '2'"),
        ("qty", "qty + 1"),
        ("cost", "cost + 0.000000000001"),
        ("avg_price", "avg_price + 0.01"),
        ("realized_pnl", "realized_pnl + 0.01"),
        ("last_price", "last_price + 0.01"),
        ("updated_at", "updated_at + interval '1 second'"),
    ],
    "equity_points": [
        ("time", """"time" + interval '1 second'"""),
        ("equity", "equity + 0.01"),
        ("cash", "cash + 0.01"),
    ],
    "equity_curves": [
        ("times", r"'\x00'"),
        ("equity", r"'\x00'"),
    ],
    "risk_events": [
        ("code", "'other'"),
        ("message", "'other'"),
        ("figure", "1"),
        ("limit", "1"),
        ("created_at", "created_at + interval '1 second'"),
    ],
    "runs": [
        ("status", "'completed'"),
        ("reason", "'because'"),
        ("started_at", "started_at + interval '1 second'"),
        ("ended_at", "NULL"),
        ("starting_cash", "starting_cash + 0.01"),
        ("final_equity", "final_equity + 0.01"),
        ("total_pnl", "total_pnl + 0.01"),
        ("cash", "cash + 0.01"),
        ("num_bars", "num_bars + 1"),
        ("num_fills", "num_fills + 1"),
        ("ledger_hash", "'ff'"),
        ("metrics", """metrics || '{"sharpe": 9}'"""),
    ],
}


def finished_run():
    run = new_run()
    curve = np.arange(3, dtype=np.int64), np.ones(3)
    points = [(NINE_THIRTY, Decimal(100_000), Decimal(99_000))]
    ledger.append_now(run.id, a_day_of_trading(run), points=points, curve=curve)
    ledger.anchor_heads(run.id)
    return run


@pytest.fixture
def run():
    return finished_run()


@pytest.mark.parametrize("table", COLUMNS)
def test_any_changed_column_is_named(table):
    key = "id" if table == "runs" else "run_id"
    changed = {}
    for column, value in COLUMNS[table]:
        run = finished_run()
        row = "AND seq = 3" if table == "ledger_events" else ""
        tamper(f'UPDATE {table} SET "{column}" = {value} WHERE {key} = %s {row}', run.id)
        changed[str(run.id)] = f"{column} = {value}"
    untouched = finished_run()

    differences = ledger.verify().differences

    named = {each.run_id for each in differences if each.table == table}
    assert [what for run_id, what in changed.items() if run_id not in named] == []
    assert str(untouched.id) not in {each.run_id for each in differences}


@pytest.mark.parametrize("table", ["orders", "fills", "positions", "equity_points", "risk_events", "equity_curves"])
def test_a_row_that_is_gone_is_named(run, table):
    tamper(f"DELETE FROM {table} WHERE run_id = %s", run.id)
    gone = [difference for difference in ledger.verify(run.id).differences if difference.table == table]
    assert gone
    assert any(difference.found is None for difference in gone)


def test_a_row_that_was_slipped_in_is_named(run):
    tamper(
        "INSERT INTO positions (run_id, symbol, qty, cost, avg_price, realized_pnl, updated_at)"
        " VALUES (%s, 'GME', 1, 1, 1, 0, now())",
        run.id,
    )
    slipped_in = [each for each in ledger.verify(run.id).differences if each.row == "GME"]
    assert {each.check for each in slipped_in} == {"rebuild", "money"}


def test_a_changed_figure_tells_both_values(run):
    tamper("UPDATE runs SET cash = 5 WHERE id = %s", run.id)
    (rebuilt,) = [each for each in ledger.verify(run.id).differences if each.check == "rebuild"]
    run.refresh_from_db()
    assert (rebuilt.table, rebuilt.column, rebuilt.found) == ("runs", "cash", "5")
    assert rebuilt.expected not in (None, "5")


def test_an_event_taken_from_the_middle_leaves_a_gap(run):
    tamper("DELETE FROM ledger_events WHERE run_id = %s AND seq = 4", run.id)
    gaps = [each for each in ledger.verify(run.id).differences if each.check == "chain" and each.column == "seq"]
    assert [(each.expected, each.found) for each in gaps] == [("4", "5")]


def test_a_tail_cut_with_its_rows_and_its_head_still_shows_in_the_anchors(run):
    other = new_run()
    ledger.append_now(other.id, a_day_of_trading(other))
    ledger.anchor_heads()
    for table in ("ledger_events", "orders", "fills", "positions", "risk_events", "equity_points", "equity_curves"):
        tamper(f"DELETE FROM {table} WHERE run_id = %s", run.id)
    tamper("UPDATE ledger_heads SET seq = 0, hash = decode(repeat('00', 32), 'hex') WHERE run_id = %s", run.id)
    tamper(
        "UPDATE runs SET status = 'queued', reason = '', started_at = NULL, ended_at = NULL, final_equity = NULL,"
        " total_pnl = NULL, cash = NULL, num_bars = 0, num_fills = 0, ledger_hash = '', metrics = '{}' WHERE id = %s",
        run.id,
    )
    assert {each.check for each in ledger.verify().differences} == {"anchor"}
    tamper("DELETE FROM ledger_anchors WHERE run_id = %s", run.id)
    assert {each.check for each in ledger.verify().differences} == {"anchor"}


def test_many_differences_are_all_counted_and_some_listed(run):
    tamper("UPDATE ledger_events SET hash = sha256(hash)")
    report = ledger.verify()
    assert report.num_differences >= len(report.differences) > 1


def test_anchoring_adds_a_link_for_each_run_that_has_grown(run):
    assert ledger.anchor_heads() == 0
    ledger.append_now(run.id, [], state={"positions": [{"symbol": "SPY", "last_price": "99"}]})
    assert ledger.anchor_heads(new_run().id) == 0
    assert ledger.anchor_heads(run.id) == 1
    assert ledger.verify().anchors == 2
