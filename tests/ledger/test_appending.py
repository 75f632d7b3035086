"""Who may append, and what an append leaves when it is refused."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from django.db import transaction

from tests.ledger.builders import Trading, a_day_of_trading, new_run
from trading import ledger
from trading.connections import connect
from trading.engine.errors import InvalidValue
from trading.models import EquityCurve, LedgerEvent, LedgerHead, Run

pytestmark = pytest.mark.django_db(transaction=True)


def seqs(run):
    return list(LedgerEvent.objects.filter(run=run).order_by("seq").values_list("seq", flat=True))


def test_a_new_run_has_a_head():
    assert LedgerHead.objects.get(run=new_run()).seq == 0


def test_a_stale_token_is_refused_and_the_others_of_the_batch_commit():
    mine, lost = new_run(fencing_token=4), new_run(fencing_token=8)
    batch = [
        ledger.Append(lost.id, 7, [Trading(lost).status("running")]),
        ledger.Append(mine.id, 4, [Trading(mine).status("running")]),
    ]
    with connect(autocommit=True) as database:
        refused, written = ledger.append(database, batch)
    assert isinstance(refused, ledger.LeaseLost)
    assert (written, seqs(mine), seqs(lost)) == (1, [1], [])


def test_without_a_token_one_may_append_to_an_owned_run():
    run = new_run(fencing_token=3)
    assert ledger.append_now(run.id, [Trading(run).status("killed")]) == 1


def test_append_now_raises_what_it_was_refused_for():
    run = new_run(fencing_token=2)
    with pytest.raises(ledger.LeaseLost, match="token 1 is over"):
        ledger.append_now(run.id, [Trading(run).status("running")], token=1)
    with pytest.raises(ledger.UnknownRun):
        ledger.append_now(uuid4(), [Trading(run).status("running")])


def test_a_change_of_owner_waits_for_an_append_that_is_under_way():
    run = new_run(fencing_token=1)
    claimed = threading.Event()

    def claim():
        with connect(autocommit=True) as database:
            database.execute("UPDATE runs SET fencing_token = 2 WHERE id = %s", [run.id])
        claimed.set()

    with transaction.atomic():
        ledger.append_now(run.id, [Trading(run).status("running")], token=1)
        claimer = threading.Thread(target=claim)
        claimer.start()
        assert not claimed.wait(0.2)
    claimer.join(5)
    assert claimed.is_set()


def test_append_now_belongs_to_the_transaction_of_its_caller():
    run = new_run()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ledger.append_now(run.id, [Trading(run).status("running")])
        raise ZeroDivisionError
    assert seqs(run) == []


def test_two_appends_to_one_run_in_a_batch_follow_each_other():
    run = new_run()
    trading = Trading(run)
    batch = [ledger.Append(run.id, None, trading.filled_order()) for _ in range(3)]
    with connect(autocommit=True) as database:
        assert ledger.append(database, batch) == [3, 6, 9]
    assert ledger.verify(run.id).ok


def test_an_execution_is_booked_once():
    run = new_run()
    trading = Trading(run)
    records = trading.filled_order()
    ledger.append_now(run.id, records)
    with pytest.raises(psycopg.errors.UniqueViolation):
        ledger.append_now(run.id, records[-1:])
    assert seqs(run) == [1, 2, 3]


def test_an_order_is_intended_once_and_before_anything_else():
    run = new_run()
    intended, submitted, _ = Trading(run).filled_order()
    with pytest.raises(InvalidValue, match="no intent"):
        ledger.append_now(run.id, [submitted])
    ledger.append_now(run.id, [intended])
    with pytest.raises(InvalidValue, match="already"):
        ledger.append_now(run.id, [intended])
    assert seqs(run) == [1]


def test_what_is_not_a_finite_figure_never_enters():
    run = new_run()
    trading = Trading(run)
    order = trading.order(qty=Decimal("NaN"))
    with pytest.raises(InvalidValue, match="finite"):
        ledger.append_now(run.id, [trading.intend(order)])


def test_a_venue_may_say_anything():
    run = new_run()
    reason = 'no\x00such \\u0000 "thing" \\ \U0001f600\u2028 \x7f'
    ledger.append_now(run.id, [Trading(run).status("failed", reason)])
    run.refresh_from_db()
    assert run.reason == reason.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    assert ledger.verify(run.id).ok


@pytest.mark.parametrize(
    "figure", [0.1, 1e22, -0.0, 1e-7, 123456789.125, 5e-324, 1.7e308, float("nan"), 2**70, -(2**63)]
)
def test_any_float_of_a_metric_verifies(figure):
    run = new_run()
    ledger.append_now(run.id, [Trading(run).status("completed", metrics={"figure": figure, "nested": [figure]})])
    assert ledger.verify(run.id).differences == []


def test_a_curve_comes_back_as_it_was():
    run = new_run()
    times, equity = np.arange(5, dtype=np.int64) * 60, np.array([1.0, 2.5, 1e-9, np.pi, 1e12])
    ledger.append_now(run.id, a_day_of_trading(run), curve=(times, equity))
    row = EquityCurve.objects.get(run=run)
    for written, read in zip((times, equity), ledger.read_curve(row.times, row.equity), strict=True):
        assert np.array_equal(written, read)
    assert ledger.verify(run.id).ok


def test_many_writers_to_one_run_and_to_many_leave_unbroken_chains():
    shared = new_run()
    runs = [new_run() for _ in range(4)]

    def write(run):
        trading = Trading(run)
        with connect(autocommit=True) as database:
            for _ in range(10):
                both = [ledger.Append(run.id, None, trading.filled_order())]
                both.append(ledger.Append(shared.id, None, [trading.status("running")]))
                ledger.append(database, both)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, runs))
    assert seqs(shared) == list(range(1, 41))
    assert all(seqs(run) == list(range(1, 31)) for run in runs)
    report = ledger.verify()
    assert (report.differences, report.events) == ([], 160)


def test_a_bulk_of_records_is_one_append():
    run = new_run()
    trading = Trading(run)
    records = [record for _ in range(2_000) for record in trading.filled_order()]
    assert ledger.append_now(run.id, records) == 6_000
    assert Run.objects.get(pk=run.pk).num_fills == 2_000
    assert ledger.verify(run.id).ok
