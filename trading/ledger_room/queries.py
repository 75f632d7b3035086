"""Rows of the ledger across runs, and what they come to; both by one filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum

from trading import queries, rows
from trading.accounts import KINDS, kind_of
from trading.engine.instruments import instrument_of
from trading.engine.orders import OPEN_STATUSES, OrderStatus, Side
from trading.engine.records import Kind, plain
from trading.ledger.exports import Scope
from trading.models import Fill, LedgerEvent, Mode, Order, Run
from trading.pages import page

Row = dict[str, Any]

#: Rows that are added up at most, so that a page costs the same however long the ledger has grown.
MOST_ADDED: Final = 10_000
_REFUSED: Final = (OrderStatus.DENIED.value, OrderStatus.REJECTED.value)


@dataclass(frozen=True)
class Book:
    """A table of the ledger: newest first by ``keys``, its time in ``time``; ``choices`` are what may be chosen by."""

    title: str
    model: Any
    keys: list[str]
    time: str
    shape: Callable[[Any], Row]
    choices: Mapping[str, list[str]]


@dataclass(frozen=True)
class Wanted:
    """``run`` is an id, the beginning of one or part of a name; ``account`` a kind of account; the days are UTC, both
    included. What is empty chooses all."""

    run: str = ""
    account: str = ""
    symbol: str = ""
    side: str = ""
    status: str = ""
    kind: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def anything(self) -> bool:
        return self != Wanted()

    @property
    def chosen(self) -> dict[str, str]:
        named = {name: getattr(self, name) for name in ("symbol", "side", "status", "kind")}
        return {name: value for name, value in named.items() if value}

    @property
    def times(self) -> tuple[datetime | None, datetime | None]:
        """The first moment, and the first after the last."""
        return _midnight(self.since), _midnight(self.until and self.until + timedelta(days=1))

    @property
    def one_run(self) -> UUID | None:
        """The run, where it is named by its whole id."""
        try:
            return UUID(self.run)
        except ValueError:
            return None

    def runs(self) -> QuerySet[Run]:
        return queries.RunFilter(search=self.run).apply(Run.objects.order_by()).filter(**self.of_account())

    def of_account(self, prefix: str = "") -> dict[str, Any]:
        """What a run of the kind of account is; nothing where every kind is wanted."""
        if not self.account:
            return {}
        made_up = self.account == "synthetic"
        mode = Mode.PAPER.value if made_up else self.account
        columns = {"mode": mode, "synthetic": made_up} if mode == Mode.PAPER else {"mode": mode}
        return {f"{prefix}{name}": value for name, value in columns.items()}

    def scope(self) -> Scope:
        """The same rows, for an export."""
        runs = list(self.runs().values_list("pk", flat=True)) if self.run or self.account else None
        since, until = self.times
        return Scope(runs, since, until, **self.chosen)


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _of_run(row: Row, run: Run) -> Row:
    return {**row, "run_name": run.name, "account": kind_of(run)}


def _order(order: Order) -> Row:
    return _of_run(rows.order_row(order), order.run)


def _fill(fill: Fill) -> Row:
    return _of_run(rows.fill_row(fill), fill.run)


def _entry(event: LedgerEvent) -> Row:
    row = {
        "id": event.id,
        "run_id": str(event.run_id),
        "seq": event.seq,
        "kind": event.kind,
        "event_time": rows.moment(event.event_time),
        "recorded_at": rows.moment(event.recorded_at),
        "payload": event.payload,
        "hash": bytes(event.hash).hex(),
    }
    return _of_run(row, event.run)


_SIDES: Final = [side.value for side in Side]
#: By the name that the export gives them, too.
BOOKS: Final[Mapping[str, Book]] = {
    "orders": Book(
        "Orders",
        Order,
        queries.NEWEST_ORDERS,
        "created_at",
        _order,
        {"symbol": [], "side": _SIDES, "status": [one.value for one in OrderStatus]},
    ),
    "fills": Book("Fills", Fill, queries.NEWEST_FILLS, "filled_at", _fill, {"symbol": [], "side": _SIDES}),
    "events": Book("Entries", LedgerEvent, ["-id"], "event_time", _entry, {"kind": [one.value for one in Kind]}),
}


def found(table: str, wanted: Wanted) -> QuerySet[Any]:
    book = BOOKS[table]
    columns = {name: value for name, value in wanted.chosen.items() if name in book.choices}
    result: QuerySet[Any] = book.model.objects.filter(**columns, **wanted.of_account("run__"))
    if wanted.one_run:
        result = result.filter(run=wanted.one_run)
    elif wanted.run:
        result = result.filter(run__in=wanted.runs().values("pk"))
    since, until = wanted.times
    if since is not None:
        result = result.filter(**{f"{book.time}__gte": since})
    if until is not None:
        result = result.filter(**{f"{book.time}__lt": until})
    return result


def ledger_page(table: str, wanted: Wanted, after: str | None = None, limit: int = 50) -> Row:
    """A page of rows, newest first. Raises `InvalidValue` for a cursor that is none."""
    book = BOOKS[table]
    keys = ["-seq"] if table == "events" and wanted.one_run else book.keys
    rows_found = found(table, wanted).select_related("run").defer("run__recipe", "run__state", "run__metrics")
    return page(rows_found, keys, after, limit, book.shape)


def totals(table: str, wanted: Wanted) -> Row:
    """What the rows come to, by kind of account: ``{"more": bool, "items": […]}``.

    Money of different kinds is never added up, and nothing is where there are more than `MOST_ADDED` rows (``more``).
    """
    chosen = found(table, wanted).order_by()
    if chosen[MOST_ADDED:].exists():
        return {"more": True, "most": MOST_ADDED, "items": []}
    by_run = chosen.values("run__mode", "run__synthetic")
    if table == "fills":
        value, bought = F("qty") * F("price"), Q(side=Side.BUY.value)
        sums = {"bought": Sum(value, filter=bought), "sold": Sum(value, filter=~bought), "fees": Sum("fee")}
        grouped = by_run.values("run__mode", "run__synthetic", "symbol").annotate(count=Count("*"), **sums)
    elif table == "orders":
        states = {"open": Q(status__in=OPEN_STATUSES), "filled": Q(status="filled"), "refused": Q(status__in=_REFUSED)}
        grouped = by_run.annotate(count=Count("*"), **{name: Count("pk", filter=one) for name, one in states.items()})
    else:
        grouped = by_run.annotate(count=Count("*"))
    return {"more": False, "most": MOST_ADDED, "items": _by_account(list(grouped))}


def _by_account(grouped: list[Row]) -> list[Row]:
    items: dict[str, Row] = {}
    for group in grouped:
        kind = kind_of(Run(mode=group.pop("run__mode"), synthetic=group.pop("run__synthetic")))
        units = instrument_of(group.pop("symbol")).multiplier if "symbol" in group else Decimal(1)
        item = items.setdefault(kind, {"account": kind})
        for name, value in group.items():
            worth = (value or 0) * (units if name in ("bought", "sold") else 1)
            item[name] = item.get(name, 0) + worth
    ordered = [items[kind] for kind in KINDS if kind in items]
    return [{name: plain(one) if isinstance(one, Decimal) else one for name, one in item.items()} for item in ordered]
