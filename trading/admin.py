"""The admin as an inspector of the ledger: look, search, filter, follow the links; change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Max, Min, Model, QuerySet
from django.http import HttpRequest

from access.admin import ReadOnlyAdmin
from trading.admin_columns import details, hexadecimal, laid_out, plain_figure, to_list, to_row, when
from trading.admin_export import as_csv
from trading.engine.orders import OrderStatus, Side
from trading.engine.records import Kind
from trading.models import (
    Bot,
    BotVersion,
    EquityPoint,
    Fill,
    LedgerAnchor,
    LedgerEvent,
    Order,
    Position,
    RiskEvent,
    Run,
)

admin.site.index_title = "Inspector"
# The bar leads everywhere already, and wide rows need the room.
admin.site.enable_nav_sidebar = False


class CountingPaginator(Paginator):
    """Counts no further than `MOST`, so that a table of millions opens at once; filters find what lies beyond."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: self.MOST].count()


#: The first day of the period that a day is in, by kind of period.
_FIRST_DAY: Final[dict[str, Callable[[date], date]]] = {
    "day": lambda day: day,
    "month": lambda day: day.replace(day=1),
    "year": lambda day: day.replace(month=1, day=1),
}


class Spanning(QuerySet[Any]):
    """Tells the periods of a date hierarchy by the first and the last time, which an index knows: to look in which of
    them there are rows would read every row."""

    def datetimes(self, field_name: str, kind: str, order: str = "ASC", tzinfo: Any = None) -> Any:
        ends = self.aggregate(first=Min(field_name), last=Max(field_name))
        if ends["first"] is None:
            return []
        first, last = ends["first"].date(), ends["last"].date()
        days = (first + timedelta(number) for number in range((last - first).days + 1))
        return list(dict.fromkeys(_FIRST_DAY[kind](day) for day in days))


class InspectorAdmin(ReadOnlyAdmin):
    """``related`` are columns that lead to other tables; they follow the row's own on its page."""

    paginator = CountingPaginator
    show_full_result_count = False
    list_per_page = 50
    without: Iterable[str] = ()
    related: Iterable[Any] = ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {"as_csv": self.get_action(as_csv)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Spanning(self.model).order_by(*self.get_ordering(request))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return [*details(self.model, self.without), *self.related]

    get_readonly_fields = get_fields


def one_of(field: str, values: Iterable[str]) -> type[admin.SimpleListFilter]:
    """A filter by known values: asking the table for its values would read all of it."""

    class OneOf(admin.SimpleListFilter):
        title = field
        parameter_name = field

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(str(value), str(value)) for value in values]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    return OneOf


def of_run(row: Any) -> dict[str, Any]:
    return {"run__id__exact": row.pk}


def of_event(row: Any) -> dict[str, Any]:
    return {"run__id__exact": row.run_id, "seq": row.seq}


@admin.register(Bot)
class BotAdmin(InspectorAdmin):
    list_display = ["name", when("created_at")]
    search_fields = ["name"]
    date_hierarchy = "created_at"
    related = [
        to_list("runs", Run, lambda bot: {"bot__id__exact": bot.pk}),
        to_list("versions", BotVersion, lambda bot: {"bot__id__exact": bot.pk}),
    ]


@admin.register(BotVersion)
class BotVersionAdmin(InspectorAdmin):
    list_display = ["__str__", to_row("bot", "name"), "sha256", when("created_at")]
    list_select_related = ["bot"]
    search_fields = ["bot__name", "sha256__exact"]


@admin.register(Run)
class RunAdmin(InspectorAdmin):
    list_display = [
        "name",
        "mode",
        "status",
        "venue",
        plain_figure("total_pnl"),
        "num_fills",
        when("created_at"),
        when("ended_at"),
        "id",
    ]
    list_filter = ["mode", "status", "synthetic"]
    search_fields = ["id__exact", "task_id__exact", "name", "model_urn"]
    date_hierarchy = "created_at"
    related = [
        to_list("orders", Order, of_run),
        to_list("fills", Fill, of_run),
        to_list("positions", Position, of_run),
        to_list("events", LedgerEvent, of_run),
        to_list("equity", EquityPoint, of_run),
        to_list("risk_events", RiskEvent, of_run),
        to_list("anchors", LedgerAnchor, of_run),
    ]


@admin.register(Order)
class OrderAdmin(InspectorAdmin):
    list_display = [
        "id",
        "symbol",
        "side",
        "type",
        plain_figure("qty"),
        plain_figure("filled_qty"),
        plain_figure("limit_price"),
        "status",
        when("created_at"),
        to_row("run"),
    ]
    list_filter = [one_of("status", OrderStatus), one_of("side", Side)]
    search_fields = ["id__exact", "venue_order_id__exact", "symbol__exact"]
    date_hierarchy = "created_at"
    related = [
        to_list("fills", Fill, lambda order: {"order__id__exact": order.pk}),
        to_list("events", LedgerEvent, lambda order: {"run__id__exact": order.run_id, "payload__order__id": order.pk}),
    ]


@admin.register(Fill)
class FillAdmin(InspectorAdmin):
    list_display = [
        "id",
        "symbol",
        "side",
        plain_figure("qty"),
        plain_figure("price"),
        plain_figure("fee"),
        when("filled_at"),
        to_row("order"),
        to_row("run"),
    ]
    list_filter = [one_of("side", Side)]
    search_fields = ["order__id__exact", "venue_execution_id__exact", "symbol__exact"]
    date_hierarchy = "filled_at"
    related = [to_list("event", LedgerEvent, of_event)]


@admin.register(Position)
class PositionAdmin(InspectorAdmin):
    list_display = [
        "symbol",
        plain_figure("qty"),
        plain_figure("avg_price"),
        plain_figure("last_price"),
        plain_figure("realized_pnl"),
        when("updated_at"),
        to_row("run"),
    ]
    search_fields = ["symbol__exact"]


@admin.register(EquityPoint)
class EquityPointAdmin(InspectorAdmin):
    list_display = [when("time"), plain_figure("equity"), plain_figure("cash"), to_row("run")]
    ordering = ["-id"]


@admin.register(RiskEvent)
class RiskEventAdmin(InspectorAdmin):
    list_display = [
        "code",
        "message",
        plain_figure("figure"),
        plain_figure("limit"),
        when("created_at"),
        to_row("run"),
    ]
    search_fields = ["code__exact"]
    date_hierarchy = "created_at"
    related = [to_list("event", LedgerEvent, of_event)]


@admin.register(LedgerEvent)
class LedgerEventAdmin(InspectorAdmin):
    list_display = ["seq", "kind", when("event_time"), laid_out("payload"), to_row("run"), when("recorded_at")]
    list_filter = [one_of("kind", Kind)]
    search_fields = ["run__id__exact"]
    ordering = ["-id"]
    related = [to_list("fill", Fill, of_event), to_list("anchors", LedgerAnchor, of_event)]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # From an order to its events, always within one run.
        return lookup == "payload__order__id" or super().lookup_allowed(lookup, value, request)


@admin.register(LedgerAnchor)
class LedgerAnchorAdmin(InspectorAdmin):
    list_display = ["id", to_row("run"), "seq", hexadecimal("head_hash"), when("created_at")]
    search_fields = ["run__id__exact"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    related = [to_list("event", LedgerEvent, of_event)]
