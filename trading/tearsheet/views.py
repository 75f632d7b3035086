"""The pages of backtests: the list, and the tear sheet, which any run with an equity curve has."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.auth import page
from trading import charts, queries
from trading.engine.errors import InvalidValue
from trading.forms import as_yaml
from trading.models import Run, RunStatus
from trading.rendering import rendered, run_or_404
from trading.tearsheet import comparing, listing
from trading.tearsheet.candles import NoPrices, prices_of
from trading.tearsheet.page import sheet_page, trades_page_of
from trading.tearsheet.reading import lines_of, lists_all
from trading.tearsheet.report import NoFigures, file_name, report

_render = partial(rendered, "tearsheet")


@never_cache
@require_GET
@page("read")
def backtests(request: HttpRequest) -> HttpResponse:
    asked = {name: request.GET.get(name, "").strip() for name in ("status", "search", "order")}
    wanted = listing.Wanted(**{**asked, "order": asked["order"] or "newest"})
    found = listing.backtests(wanted, request.GET.get("page"))
    choices = {"statuses": RunStatus.choices, "orders": listing.ORDERS.items()}
    items = [listing.row(run) for run in found]
    short = any(one["short"] for one in items)
    context = {"found": found, "items": items, "any_short": short, "wanted": wanted, **choices}
    return _render(request, "backtests", context)


@never_cache
@require_GET
@page("read")
def backtest(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = run_or_404(run_id)
    return _render(request, "backtest", {**sheet_page(run), "recipe": as_yaml(run.recipe)})


@never_cache
@require_GET
@page("read")
def compare(request: HttpRequest) -> HttpResponse:
    runs = _compared(request)
    return render(request, "tearsheet/compare.html", comparing.compared(runs))


@never_cache
@require_GET
@page("read")
def compare_lines(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"lines": comparing.curves(_compared(request))})


def _compared(request: HttpRequest) -> list[Run]:
    try:
        return comparing.chosen(request.GET.getlist("run"))
    except InvalidValue as error:
        raise Http404(str(error)) from error


@never_cache
@require_GET
@page("read")
def trades(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = run_or_404(run_id)
    listed = trades_page_of(run, request.GET.get("page"))
    context = {"run": queries.run_row(run), "trades": listed, "lists_all": lists_all(run)}
    return _render(request, "trades", context)


@never_cache
@require_GET
@page("read")
def lines(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return JsonResponse(lines_of(run_or_404(run_id))._asdict())


@never_cache
@require_GET
@page("read")
def prices(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run, symbol = run_or_404(run_id), request.GET.get("symbol", "")
    try:
        candles, note = prices_of(run, symbol)
    except NoPrices as error:
        return JsonResponse({"bars": [], "fills": [], "orders": [], "note": str(error)})
    bars = [candle._asdict() for candle in candles]
    marks = {"fills": charts.fills_of(run_id, [symbol]), "orders": charts.orders_of(run_id, [symbol])}
    return JsonResponse({"bars": bars, **marks, "note": note})


@never_cache
@require_GET
@page("read")
def download(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = run_or_404(run_id)
    try:
        document = report(run)
    except NoFigures as error:
        raise Http404(str(error)) from error
    headers = {"Content-Disposition": f'attachment; filename="{file_name(run)}"'}
    return HttpResponse(document, content_type="text/html; charset=utf-8", headers=headers)
