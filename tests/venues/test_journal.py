"""What a stub venue's journal tells of a run."""

from __future__ import annotations

from decimal import Decimal

from tests.venues.journal import Journal, fills


def test_a_runs_fills_are_printed_as_the_ledger_has_them(tmp_path):
    journal = Journal(tmp_path / "venue.jsonl")
    for name in ("3a21c860-3", "another-1", "3a21c860-1#7/2"):
        journal.write("order", client_order_id=name)
        journal.write("fill", client_order_id=name, qty=Decimal("20.00"), price=Decimal("379.50"))
    journal.close()

    assert fills(tmp_path / "venue.jsonl", "3a21-c860") == ["3a21c860-3|20|379.5", "3a21c860-1|20|379.5"]
