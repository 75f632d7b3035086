"""O1 to O7: what must be true of the ledger and of the venue's own journal after any fault.

It reads the tables by SQL and the journal's file, and none of the product's code but the command that verifies the
chain, which whoever asks runs beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from tests.venues.journal import read

Row = dict[str, Any]

#: No order may reach the venue later than this after a kill.
KILL_SECONDS = 0.25
OPEN = ("intended", "submitted", "accepted", "partially_filled", "pending_cancel", "unknown")

_ORDERS: LiteralString = "SELECT * FROM orders WHERE run_id = ANY(%s) AND NOT external ORDER BY run_id, seq"
_FILLS: LiteralString = "SELECT * FROM fills WHERE run_id = ANY(%s) ORDER BY run_id, seq"
_POSITIONS: LiteralString = "SELECT * FROM positions WHERE run_id = ANY(%s)"
_RUNS: LiteralString = "SELECT * FROM runs WHERE id = ANY(%s)"
_EVENTS: LiteralString = """
    SELECT run_id, seq, kind, payload, hash, recorded_at FROM ledger_events WHERE run_id = ANY(%s) ORDER BY run_id, seq
"""


@dataclass(frozen=True)
class Oracle:
    """What to ask of some runs that have come to rest. Each question yields what is wrong, in words."""

    database: str
    journal: Path
    runs: tuple[str, ...]

    def check(self, killed_at: float | None = None) -> None:
        """Raise AssertionError with all that is wrong; ``killed_at`` is when a kill was engaged, in epoch seconds."""
        wrong = [*self.o1(), *self.o2(), *self.o3(), *self.o5(), *self.o6(), *self.o7()]
        if killed_at is not None:
            wrong += self.o4(killed_at)
        assert not wrong, "\n".join(["", *wrong])

    def o1(self) -> Iterator[str]:
        """The client order ids at the venue are those in the ledger."""
        there = Counter(entry["client_order_id"] for entry in self._venue("order"))
        ours = {row["client_order_id"]: row for row in self.orders}
        for name, times in there.items():
            if times > 1:
                yield f"O1: the venue took order {name} {times} times"
            if name not in ours:
                yield f"O1: the venue has order {name}, the ledger does not"
        for name, row in ours.items():
            sent = self._first(row, "order.submitted") is not None
            if sent and name not in there and not _never_there(row):
                yield f"O1: the ledger says that {name} was sent and is {row['status']}; the venue never had it"
            if name in there and _never_there(row):
                yield f"O1: the venue took {name}, which is {row['status']} in the ledger"
            if row["status"] in ("intended", "submitted", "unknown"):
                yield f"O1: what became of {name} is not known: it is {row['status']}"

    def o2(self) -> Iterator[str]:
        """The sum of the fills is the position, here and at the venue; every execution is booked once."""
        names = {row["id"]: row["client_order_id"] for row in self.orders}
        venue, ours = _sums(self._venue("fill"), "client_order_id"), Counter[str]()
        for fill in self.fills:
            ours[names.get(fill["order_id"], fill["order_id"])] += fill["qty"]
        for name in sorted(venue.keys() | ours.keys()):
            if venue[name] != ours[name]:
                yield f"O2: the venue filled {venue[name]} of {name}, the ledger has {ours[name]}"
        for row in self.orders:
            if row["filled_qty"] != ours[row["client_order_id"]]:
                yield f"O2: {row['client_order_id']} has {row['filled_qty']} filled, its fills come to something else"
        booked = Counter((fill["run_id"], fill["venue_execution_id"]) for fill in self.fills)
        for (_, execution), times in booked.items():
            if times > 1:
                yield f"O2: execution {execution} is booked {times} times"
        held = {(row["run_id"], row["symbol"]): row["qty"] for row in self._rows(_POSITIONS)}
        filled = Counter[tuple[UUID, str]]()
        for fill in self.fills:
            filled[fill["run_id"], fill["symbol"]] += _signed(fill)
        for where in held.keys() | filled.keys():
            if held.get(where, 0) != filled[where]:
                yield f"O2: {where[1]} of run {where[0]}: {held.get(where, 0)} held, the fills come to {filled[where]}"

    def o3(self) -> Iterator[str]:
        """Cash is what the run began with, less what was bought, plus what was sold, less fees, plus cash entries."""
        for row in self._rows(_RUNS):
            spent = sum(
                (_signed(fill) * fill["price"] + fill["fee"] for fill in self.fills if fill["run_id"] == row["id"]),
                Decimal(0),
            )
            given = sum(
                (Decimal(str(one["payload"]["data"]["amount"])) for one in self._events(row["id"], "cash")), Decimal(0)
            )
            cash = row["starting_cash"] - spent + given
            if row["cash"] is not None and row["cash"] != cash:
                yield f"O3: run {row['id']} has {row['cash']} of cash, its entries come to {cash}"

    def o4(self, killed_at: float) -> Iterator[str]:
        """Nothing was sent later than a kill and 250 ms, and nothing of what was there stays open."""
        over = {entry["id"] for entry in self._venue("end")}
        filled = _sums(self._venue("fill"), "id")
        for order in self._venue("order"):
            late = datetime.fromisoformat(order["at"]).timestamp() - killed_at
            if late > KILL_SECONDS:
                yield f"O4: {order['client_order_id']} reached the venue {late * 1000:.0f} ms after the kill"
            if order["id"] not in over and filled[order["id"]] != Decimal(order["qty"]):
                yield f"O4: {order['client_order_id']} is still open at the venue"

    def o5(self) -> Iterator[str]:
        """Every order that was sent has an earlier intent and a decision of the gate."""
        rows = {row["client_order_id"]: row for row in self.orders}
        for order in self._venue("order"):
            name = order["client_order_id"]
            row = rows.get(name)
            if row is None:
                continue
            intent, passed = self._first(row, "order.intended"), self._first(row, "order.submitted")
            if intent is None or intent["recorded_at"] > datetime.fromisoformat(order["at"]):
                yield f"O5: {name} reached the venue before its intent was in the ledger"
            if passed is None and row["status"] not in ("intended", "unknown"):
                yield f"O5: {name} reached the venue and the ledger does not say that the gate let it pass"

    def o6(self) -> Iterator[str]:
        """No row of the ledger changed since it was first looked at."""
        for run_id in self.runs:
            seqs = [one["seq"] for one in self._events(UUID(run_id))]
            if seqs != list(range(1, len(seqs) + 1)):
                yield f"O6: the ledger of run {run_id} has gaps"

    def o7(self) -> Iterator[str]:
        """A run has at most one owner under each fencing token, and each owner a greater one than the one before."""
        for row in self._rows(_RUNS):
            facts = [one["payload"]["data"] for one in self._events(row["id"], "run.status")]
            tokens = [fact["token"] for fact in facts if fact["status"] == "starting"]
            if tokens != sorted(set(tokens)) or any(token > row["fencing_token"] for token in tokens):
                yield f"O7: the owners of run {row['id']} had the tokens {tokens}; it is at {row['fencing_token']}"

    # What is asked.

    @cached_property
    def orders(self) -> list[Row]:
        return self._rows(_ORDERS)

    @cached_property
    def fills(self) -> list[Row]:
        return self._rows(_FILLS)

    @cached_property
    def events(self) -> list[Row]:
        return self._rows(_EVENTS)

    @cached_property
    def _by_order(self) -> dict[tuple[str, str], Row]:
        """The first event of each kind of each order."""
        found: dict[tuple[str, str], Row] = {}
        for event in self.events:
            order = event["payload"].get("order")
            if order:
                found.setdefault((order["id"], event["kind"]), event)
        return found

    def _first(self, order: Row, kind: str) -> Row | None:
        return self._by_order.get((order["id"], kind))

    def _events(self, run_id: UUID, kind: str = "") -> list[Row]:
        return [one for one in self.events if one["run_id"] == run_id and one["kind"].startswith(kind)]

    def _venue(self, kind: str) -> list[dict[str, Any]]:
        """The journal's entries about orders of these runs."""
        ours = tuple(run_id.replace("-", "") for run_id in self.runs)
        return [one for one in self._journalled if one["kind"] == kind and one["client_order_id"].startswith(ours)]

    @cached_property
    def _journalled(self) -> list[dict[str, Any]]:
        return read(self.journal)

    def _rows(self, query: LiteralString) -> list[Row]:
        with psycopg.connect(self.database, row_factory=dict_row) as database:
            return database.execute(query, [[UUID(run_id) for run_id in self.runs]]).fetchall()


def _signed(fill: Row) -> Decimal:
    return fill["qty"] if fill["side"] == "buy" else -fill["qty"]


def _never_there(order: Row) -> bool:
    """Whether the ledger says that an order never came to be at the venue: it was refused, or cancelled on its way."""
    unseen = order["status"] == "cancelled" and order["venue_order_id"] is None
    return unseen or order["status"] in ("denied", "rejected")


def _sums(entries: list[dict[str, Any]], by: str) -> Counter[str]:
    sums = Counter[str]()
    for entry in entries:
        sums[entry[by]] += Decimal(entry["qty"])  # type: ignore[assignment]
    return sums
