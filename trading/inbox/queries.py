"""Differences between ledger and venue, as JSON-ready rows."""

from __future__ import annotations

from typing import Any

from trading.engine.records import plain
from trading.models import Difference
from trading.pages import page
from trading.rows import moment

Row = dict[str, Any]

STATES = [state.value for state in Difference.State]


class NoSuchDifference(LookupError):
    def __init__(self, difference_id: int) -> None:
        super().__init__(f"there is no difference {difference_id}")


def open_count() -> int:
    return Difference.objects.filter(state=Difference.State.OPEN).count()


def differences(state: str = "", account: str = "", cursor: str | None = None, limit: int = 50) -> Row:
    """Newest first; those of one ``state`` or ``account`` alone where that is given. Raises `InvalidValue`."""
    rows = Difference.objects.all()
    if state:
        rows = rows.filter(state=state)
    if account:
        rows = rows.filter(account=account)
    return page(rows, ["-id"], cursor, limit, difference_row)


def find(difference_id: int) -> Difference:
    """Raises `NoSuchDifference`."""
    found = Difference.objects.filter(pk=difference_id).first()
    if found is None:
        raise NoSuchDifference(difference_id)
    return found


def difference_row(one: Difference) -> Row:
    return {
        "id": one.pk,
        "account": one.account,
        "run_id": None if one.run_id is None else str(one.run_id),
        "kind": one.kind,
        "subject": one.subject,
        "symbol": one.symbol,
        "amount": plain(one.amount),
        "ledger": one.ledger,
        "venue": one.venue,
        "state": one.state,
        "first_seen": moment(one.first_seen),
        "last_seen": moment(one.last_seen),
        "solved_at": moment(one.solved_at),
        "by": one.by,
        "reason": one.reason,
    }
