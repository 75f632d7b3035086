"""Where alerts come from: the facts that are there already, followed by one process.

Whoever knows of facts registers a source in its AppConfig.ready(), as runtimes do (`risk.runtimes`):

    following.register(Table("risk_events", RiskEvent.objects.all, notice_of))
    following.register(Look("lost runs", lost_runs))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Model, Q, QuerySet

from risk.alert_models import AlertPosition
from risk.alerts.notices import Notice, record

ROWS_A_ROUND: Final = 500
#: An id that is still missing after this long was rolled back: nobody holds a transaction open for so long.
MISSING_SECONDS: Final = 60.0
MOST_MISSING: Final = 5000
LOOK_SECONDS: Final = 5.0

Gaps = dict[int, float]


class Source(Protocol):
    @property
    def name(self) -> str: ...

    def step(self) -> Iterable[Notice]:
        """What is new; called in a transaction that keeps the notices too, so that each is told exactly once."""


_sources: dict[str, Source] = {}


def register(source: Source) -> None:
    """Add a source. A second one of the same name replaces the first, so that AppConfig.ready may run twice."""
    _sources[source.name] = source


def registered() -> list[Source]:
    return list(_sources.values())


def follow() -> int:
    """One round over all sources; how many notices were written.

    A source that fails keeps no other from its turn; the first failure is raised afterwards, that of the database at
    once.
    """
    count, failures = 0, []
    for source in registered():
        try:
            with transaction.atomic():
                count += sum(record(notice) is not None for notice in source.step())
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            error.add_note(f"source of alerts: {source.name}")
            failures.append(error)
    if failures:
        raise failures[0]
    return count


class Table:
    """Follows a table by its ids, from its end when it is followed first.

    Ids are given out in one order and committed in another, so those that were jumped over are looked for again.
    """

    def __init__(self, name: str, rows: Callable[[], QuerySet[Any]], notice_of: Callable[[Any], Notice | None]) -> None:
        self.name = name
        self._rows = rows
        self._notice_of = notice_of

    def step(self) -> list[Notice]:
        position, new = AlertPosition.objects.select_for_update().get_or_create(
            source=self.name, defaults={"ceiling": self._newest()}
        )
        if new:
            return []
        gaps: Gaps = {int(one): since for one, since in position.gaps}
        found: list[Model] = list(
            self._rows().filter(Q(pk__gt=position.ceiling) | Q(pk__in=list(gaps))).order_by("pk")[:ROWS_A_ROUND]
        )
        ceiling, still = advance(position.ceiling, gaps, [row.pk for row in found], time.time())
        if (ceiling, still) != (position.ceiling, gaps):
            position.ceiling, position.gaps = ceiling, sorted(still.items())
            position.save()
        return [notice for row in found if (notice := self._notice_of(row)) is not None]

    def _newest(self) -> int:
        row = self._rows().order_by("-pk").first()
        return 0 if row is None else int(row.pk)


def advance(ceiling: int, gaps: Gaps, found: Sequence[int], now: float) -> tuple[int, Gaps]:
    """The largest id seen and the ids missing below it, after a reading that ``found`` these ids at ``now`` (Unix)."""
    top = max(found, default=ceiling)
    if top > ceiling:
        missing = set(range(max(ceiling + 1, top - MOST_MISSING), top))
    else:
        top, missing = ceiling, set()
    gaps = {one: since for one, since in gaps.items() if now - since < MISSING_SECONDS} | dict.fromkeys(missing, now)
    for one in found:
        gaps.pop(one, None)
    return top, gaps


class Look:
    """Asks every few seconds what is wrong now; what stays wrong is counted each time."""

    def __init__(self, name: str, look: Callable[[], Iterable[Notice]], every: float = LOOK_SECONDS) -> None:
        self.name = name
        self._look = look
        self._every = every
        self._due = 0.0

    def step(self) -> Iterable[Notice]:
        if time.monotonic() < self._due:
            return []
        self._due = time.monotonic() + self._every
        return self._look()


class Lasting:
    """How long what is looked at has been so, by this process's clock."""

    def __init__(self) -> None:
        self._since: dict[Any, float] = {}

    def longer_than(self, seconds: float, keys: Iterable[Any], now: float) -> list[Any]:
        """Those of ``keys`` that were there in every look for so many seconds, in their order; ``now`` is monotonic."""
        self._since = {key: self._since.get(key, now) for key in keys}
        return [key for key, since in self._since.items() if now - since >= seconds]
