"""The writer shares commits between runs, and comes through a database that goes away."""

import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import psycopg
import pytest

from tests.database import superuser_connection
from tests.ledger.builders import Trading, new_run
from trading import ledger
from trading.connections import connect, conninfo
from trading.ledger import appending, writing
from trading.models import LedgerEvent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def writer():
    writer = ledger.LedgerWriter(conninfo())
    yield writer
    writer.close()


def seqs(run):
    return list(LedgerEvent.objects.filter(run=run).order_by("seq").values_list("seq", flat=True))


def test_appends_of_a_run_are_written_in_the_order_of_their_calls(writer):
    run = new_run()
    trading = Trading(run)
    futures = [writer.append(ledger.Append(run.id, None, trading.filled_order())) for _ in range(50)]
    assert [future.result(10) for future in futures] == list(range(3, 153, 3))
    assert ledger.verify(run.id).ok


def test_what_waits_is_committed_together(writer, monkeypatch):
    batches = []
    commit = appending.commit

    def counted(database, entries, **options):
        batches.append(len(entries))
        return commit(database, entries, **options)

    monkeypatch.setattr(writing, "commit", counted)
    runs = [new_run() for _ in range(20)]
    with connect() as database:
        database.execute("LOCK TABLE ledger_heads IN EXCLUSIVE MODE")
        futures = [writer.append(ledger.Append(run.id, None, [Trading(run).status("running")])) for run in runs]
        database.rollback()
    assert {future.result(10) for future in futures} == {1}
    assert len(batches) < len(runs)


def test_a_run_that_somebody_holds_does_not_hold_up_the_others(writer):
    held, free = new_run(), new_run()
    with connect() as database:
        database.execute("SELECT FROM runs WHERE id = %s FOR UPDATE", [held.id])
        waiting = writer.append(ledger.Append(held.id, None, [Trading(held).status("running")]))
        done = writer.append(ledger.Append(free.id, None, [Trading(free).status("running")]))
        assert done.result(5) == 1
        assert not waiting.done()
        database.rollback()
    assert waiting.result(5) == 1


def test_a_refused_append_does_not_harm_those_beside_it(writer):
    good, bad, fenced = new_run(), new_run(), new_run(fencing_token=5)
    never_intended = Trading(bad).filled_order()[1:]
    with connect() as database:
        database.execute("LOCK TABLE ledger_heads IN EXCLUSIVE MODE")
        futures = [
            writer.append(ledger.Append(good.id, None, Trading(good).filled_order())),
            writer.append(ledger.Append(bad.id, None, never_intended)),
            writer.append(ledger.Append(fenced.id, 4, [Trading(fenced).status("running")])),
            writer.append(ledger.Append(good.id, None, [Trading(good).status("running")])),
        ]
        database.rollback()
    wait(futures, 10)
    assert (futures[0].result(), futures[3].result()) == (3, 4)
    assert "no intent" in str(futures[1].exception())
    assert isinstance(futures[2].exception(), ledger.LeaseLost)


def test_the_facts_are_those_of_the_call(writer):
    run = new_run()
    trading = Trading(run)
    order = trading.order()
    future = writer.append(ledger.Append(run.id, None, [trading.intend(order)]))
    order.qty *= 2
    future.result(10)
    assert run.orders.get().qty * 2 == order.qty


def test_backends_that_are_terminated_all_the_time_lose_and_double_nothing(writer):
    runs = [new_run() for _ in range(5)]
    over, written = threading.Event(), threading.Event()

    def terminate():
        """Cut every connection soon after it has got something done, however slow the machine is."""
        kills = 0
        with superuser_connection() as superuser:
            superuser.autocommit = True
            while not over.is_set():
                killed = superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'alphaswarm ledger' AND datname = current_database()"
                ).fetchall()
                kills += len(killed)
                written.clear()
                written.wait(10)
                over.wait(0.01 * (kills % 4))
        return kills

    def trade(run):
        trading = Trading(run)
        futures = [writer.append(ledger.Append(run.id, None, trading.filled_order())) for _ in range(20)]
        for _ in range(180):
            futures.append(writer.append(ledger.Append(run.id, None, trading.filled_order())))
            futures[-1].result(30)
            written.set()
        return [future.result(30) for future in futures]

    with ThreadPoolExecutor(6) as pool:
        terminator = pool.submit(terminate)
        try:
            results = list(pool.map(trade, runs))
        finally:
            over.set()
        assert terminator.result() > 5
    assert results == [list(range(3, 603, 3))] * 5
    report = ledger.verify()
    assert (report.differences, report.events) == ([], 3_000)


def test_a_commit_whose_answer_was_lost_is_not_written_again(writer, monkeypatch):
    run = new_run()
    commit = appending.commit
    answers_lost = []

    def answer_lost_once(database, entries, **options):
        outcomes = commit(database, entries, **options)
        if not answers_lost:
            answers_lost.append(outcomes)
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return outcomes

    monkeypatch.setattr(writing, "commit", answer_lost_once)
    first = writer.append(ledger.Append(run.id, None, Trading(run).filled_order()))
    assert first.result(10) == 3
    assert answers_lost
    assert seqs(run) == [1, 2, 3]


def test_a_lost_answer_counts_even_when_the_lease_went_meanwhile(writer, monkeypatch):
    run = new_run(fencing_token=1)
    commit = appending.commit

    def answer_lost_and_run_taken(database, entries, **options):
        commit(database, entries, **options)
        monkeypatch.setattr(writing, "commit", commit)
        database.execute("UPDATE runs SET fencing_token = 2 WHERE id = %s", [run.id])
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(writing, "commit", answer_lost_and_run_taken)
    assert writer.append(ledger.Append(run.id, 1, Trading(run).filled_order())).result(10) == 3
    with pytest.raises(ledger.LeaseLost):
        writer.append(ledger.Append(run.id, 1, [])).result(10)


def test_while_the_database_is_away_appends_wait_and_one_line_says_so(caplog):
    away = "host=/nowhere dbname=none"
    with caplog.at_level(logging.ERROR, "trading.ledger.writing"):
        writer = ledger.LedgerWriter(away)
        run = new_run()
        future = writer.append(ledger.Append(run.id, None, [Trading(run).status("running")]))
        time.sleep(0.1)
        assert not future.done()
        writer.close(timeout=0.2)
    assert isinstance(future.exception(5), ledger.LedgerUnavailable)
    assert len([record for record in caplog.records if "waits for its database" in record.message]) == 1


def test_closing_writes_what_waits_and_takes_no_more():
    writer = ledger.LedgerWriter(conninfo())
    run = new_run()
    trading = Trading(run)
    futures = [writer.append(ledger.Append(run.id, None, trading.filled_order())) for _ in range(30)]
    writer.close()
    assert all(future.done() for future in futures)
    with pytest.raises(ledger.LedgerUnavailable):
        writer.append(ledger.Append(run.id, None, trading.filled_order()))


def test_a_forked_child_has_a_writer_of_its_own():
    parent = ledger.writer()
    assert ledger.writer() is parent
    child = os.fork()
    if child == 0:
        os._exit(0 if ledger.writer() is not parent else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_writer_that_is_frozen_amid_an_append_does_not_keep_its_run_from_the_next_owner(writer, monkeypatch):
    run, frozen, woken = new_run(), threading.Event(), threading.Event()
    write = appending.tables.write

    def freeze(together, changes):
        write(together, changes)
        frozen.set()
        woken.wait(10)

    monkeypatch.setattr(writing, "TRANSACTION_SECONDS", 0.5)
    monkeypatch.setattr(appending.tables, "write", freeze)
    written = writer.append(ledger.Append(run.id, None, [Trading(run).status("running")]))
    assert frozen.wait(10)
    with connect(autocommit=True) as database:
        database.execute("SET statement_timeout = '5s'")
        database.execute("UPDATE runs SET fencing_token = fencing_token + 1 WHERE id = %s", [run.id])
    woken.set()
    assert written.result(10) == 1
    assert seqs(run) == [1]
