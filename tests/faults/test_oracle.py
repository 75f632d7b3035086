"""The oracle objects to what is wrong, and to nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.faults.oracle import Oracle
from tests.ledger.builders import Trading, new_run
from tests.risk.conftest import database_url
from tests.venues.journal import Journal
from trading import ledger

pytestmark = pytest.mark.django_db(transaction=True)

Entries = list[tuple[str, dict[str, Any]]]


def told(path: Path, change: Callable[[Entries], Any] = lambda entries: None) -> Oracle:
    """What the oracle hears of one order that was filled, and of a venue's journal that somebody has changed."""
    run = new_run(fencing_token=1)
    trading = Trading(run)
    ledger.append_now(run.id, [trading.status("starting", token=1), *trading.filled_order()], token=1)
    name = f"{run.id.hex}-1"
    terms = {"id": "v-1", "client_order_id": name, "symbol": "SPY", "side": "buy", "qty": "10"}
    entries: Entries = [
        ("order", {**terms, "type": "market", "at": datetime.now(UTC).isoformat()}),
        ("fill", {**terms, "execution_id": "x1", "price": "101.37"}),
    ]
    change(entries)
    journal = Journal(path / "journal")
    for kind, facts in entries:
        journal.write(kind, **facts)
    journal.close()
    return Oracle(database_url(), path / "journal", (str(run.id),))


def test_what_agrees_is_not_objected_to(tmp_path: Path) -> None:
    told(tmp_path).check(killed_at=time.time())


def changed(**facts: Any) -> Callable[[Entries], None]:
    return lambda entries: entries[0][1].update(facts)


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        (lambda entries: entries.append(entries[0]), "O1: the venue took order"),
        (lambda entries: entries.clear(), "O1: the ledger says"),
        (
            lambda entries: entries[0][1].update(client_order_id=entries[0][1]["client_order_id"] + "0"),
            "O1: the venue has",
        ),
        (lambda entries: entries.pop(), "O2: the venue filled 0"),
        (lambda entries: entries.append(entries[1]), "O2: the venue filled 20"),
        (changed(at=(datetime.now(UTC) + timedelta(hours=1)).isoformat()), "O4: "),
        (changed(at="2020-01-01T00:00:00+00:00"), "O5: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Callable[[Entries], Any], objection: str) -> None:
    oracle = told(tmp_path, change)
    with pytest.raises(AssertionError, match=objection):
        oracle.check(killed_at=time.time())


def test_an_order_that_stays_open_at_the_venue_after_a_kill_is_named(tmp_path: Path) -> None:
    oracle = told(tmp_path, lambda entries: entries.pop())
    assert any("still open at the venue" in words for words in oracle.o4(time.time()))


def test_an_owner_that_comes_back_under_its_old_token_is_named(tmp_path: Path) -> None:
    oracle = told(tmp_path)
    [run_id] = oracle.runs
    again = Trading(new_run()).status("starting", token=1)
    ledger.append_now(UUID(run_id), [again], token=1)
    assert list(oracle.o7())
