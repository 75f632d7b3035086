"""Who did what, when and from where: the entries, and the same as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from access.models import AuditEntry
from trading.pages import page

Row = dict[str, Any]

#: Of one file.
MOST_ROWS: Final = 100_000
_COLUMNS: Final = ("id", "at", "actor", "address", "verb", "target", "detail")
#: What a spreadsheet takes for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True)
class Wanted:
    """Parts of what an entry says; the days are UTC, both included. What is empty chooses all."""

    actor: str = ""
    verb: str = ""
    target: str = ""
    address: str = ""
    since: date | None = None
    until: date | None = None

    def found(self) -> QuerySet[AuditEntry]:
        entries = AuditEntry.objects.all()
        for name in ("actor", "verb", "target", "address"):
            if getattr(self, name):
                entries = entries.filter(**{f"{name}__icontains": getattr(self, name)})
        if self.since:
            entries = entries.filter(at__gte=_midnight(self.since))
        if self.until:
            entries = entries.filter(at__lt=_midnight(self.until + timedelta(days=1)))
        return entries


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def entries(wanted: Wanted, after: str | None = None, limit: int = 50) -> Row:
    """A page of entries, newest first. Raises `trading.engine.errors.InvalidValue` for a cursor that is none."""
    return page(wanted.found(), ["-id"], after, limit, _row)


def _row(entry: AuditEntry) -> Row:
    return {name: getattr(entry, name) for name in _COLUMNS}


def as_csv(wanted: Wanted) -> str:
    """The entries as text, oldest first; times are ISO 8601 in UTC, details JSON.

    What a spreadsheet would take for a formula, or begins with an apostrophe, has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for entry in wanted.found().order_by("id")[:MOST_ROWS]:
        writer.writerow(_written(_row(entry)))
    return text.getvalue()


def _written(row: Row) -> Iterable[str]:
    at = row["at"].astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    for value in (row | {"at": at, "detail": json.dumps(row["detail"], sort_keys=True)}).values():
        said = str(value)
        yield f"'{said}" if said.startswith(_FORMULA) else said
