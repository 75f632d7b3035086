"""The pages. Each looks up and authorises, calls one read or one verb, and renders.

A page that lives has a fragment of the same name with an underscore; asked by HTMX, the view answers with that alone.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.defaultfilters import pluralize
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from access.auth import page
from access.principals import principal_of
from risk import halting
from risk.halts import Scope
from risk.kill_switch import ReasonMissing
from trading import actions, charts, queries
from trading.accounts import KINDS, kind_of
from trading.engine.errors import InvalidValue
from trading.forms import as_yaml
from trading.models import Mode, Run, RunStatus
from trading.oversight import queries as oversight
from trading.rendering import asked_again, rendered, run_or_404, sent_back
from trading.templatetags.layout import mode_context

#: Orders and fills that a run's page shows of what may be many.
SHOWN = 25
RISK_EVENTS = 8
#: Runs that one verb is done to at most.
MOST_CHOSEN = 200


_render = partial(rendered, "trading")


@never_cache
@require_GET
@page("read")
def portfolio(request: HttpRequest) -> HttpResponse:
    return _render(request, "portfolio", queries.portfolio_overview())


@never_cache
@require_GET
@page("read")
def portfolio_chart(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", "")
    if kind not in KINDS:
        raise Http404(f"kind is one of {', '.join(KINDS)}")
    return JsonResponse({"equity": charts.equity_of_accounts(kind)})


@never_cache
@require_GET
@page("read")
def modes(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/_mode.html", mode_context())


@never_cache
@require_GET
@page("read")
def runs(request: HttpRequest) -> HttpResponse:
    wanted = queries.RunFilter(**{name: request.GET.get(name, "").strip() for name in ("status", "mode", "search")})
    order = request.GET.get("order", "")
    order = order if order in queries.ORDERS else "newest"
    try:
        found = queries.runs(wanted, request.GET.get("after"), order=order)
    except InvalidValue as error:
        raise Http404(str(error)) from error
    orders = [(name, title) for name, (title, _) in queries.ORDERS.items()]
    choices = {"statuses": RunStatus.choices, "modes": Mode.choices, "orders": orders}
    return _render(request, "runs", {**found, **choices, "wanted": wanted, "order": order})


@never_cache
@require_GET
@page("read")
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    found = run_or_404(run_id)
    account = queries.run_account(found)
    context = {
        "run": queries.run_row(found),
        "account": account,
        "risk": oversight.of_run(found),
        "risk_events": oversight.events(run_id=str(run_id), limit=RISK_EVENTS)["items"],
        # A backtest that has ended, or was run from a shell, has nothing more to tell.
        "told": found.status != RunStatus.BLOCKED and (found.mode != Mode.BACKTEST or found.status in queries.ACTIVE),
        "stopping": found.stop_requested_at is not None,
        "reasons": queries.gate_reasons(run_id) if found.status == RunStatus.BLOCKED else [],
        "orders": queries.run_orders(run_id, limit=SHOWN),
        "fills": queries.run_fills(run_id, limit=SHOWN),
        "symbols": [] if found.mode == Mode.BACKTEST else found.recipe.get("universe", []),
        "recipe": as_yaml(found.recipe),
    }
    return _render(request, "run", context)


@never_cache
@require_GET
@page("read")
def run_chart(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return JsonResponse({"equity": charts.equity_of(run_or_404(run_id))})


@never_cache
@require_GET
@page("read")
def run_bars(request: HttpRequest, run_id: UUID) -> HttpResponse:
    bars = charts.bars_of(run_or_404(run_id).pk)
    symbols = list(bars)
    marks = {"fills": charts.fills_of(run_id, symbols), "orders": charts.orders_of(run_id, symbols)}
    return JsonResponse({"bars": bars, **marks})


@never_cache
@require_GET
@page("read")
def run_orders(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return _run_rows(request, run_id, "Orders", queries.run_orders)


@never_cache
@require_GET
@page("read")
def run_fills(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return _run_rows(request, run_id, "Fills", queries.run_fills)


def _run_rows(request: HttpRequest, run_id: UUID, title: str, read: Any) -> HttpResponse:
    found = run_or_404(run_id)
    try:
        rows = read(run_id, request.GET.get("after"))
    except InvalidValue as error:
        raise Http404(str(error)) from error
    context = {**rows, "run": found, "kind": kind_of(found), "title": title}
    return render(request, "trading/run_rows.html", context)


@require_POST
@page("trade")
def stop(request: HttpRequest, run_id: UUID) -> HttpResponse:
    found = run_or_404(run_id)
    if asked := asked_again(request, f"Stop {found.name}?", "Stop", "ui:runs"):
        return asked
    stopped = actions.stop(found, principal=principal_of(request))
    messages.success(request, f"{stopped.name} was asked to stop: it cancels what is open and ends.")
    return sent_back(request, "ui:runs")


@require_POST
@page("trade")
def stop_chosen(request: HttpRequest) -> HttpResponse:
    chosen = list(_chosen(request))
    if not chosen:
        return sent_back(request, "ui:runs")
    count = f"{len(chosen)} run{pluralize(len(chosen))}"
    if asked := asked_again(request, f"Stop {count}: {', '.join(run.name for run in chosen)}?", "Stop", "ui:runs"):
        return asked
    for run in chosen:
        actions.stop(run, principal=principal_of(request))
    messages.success(request, f"{count} asked to stop.")
    return sent_back(request, "ui:runs")


@require_POST
@page("halt")
def halt_chosen(request: HttpRequest) -> HttpResponse:
    try:
        halted = [
            halting.halt(Scope.RUN, str(run.pk), request.POST.get("reason", ""), principal_of(request))
            for run in _chosen(request).exclude(mode=Mode.BACKTEST)
        ]
    except ReasonMissing as error:
        messages.error(request, f"Nothing was halted: {error}.")
        return sent_back(request, "ui:runs")
    if halted:
        messages.success(
            request, f"{len(halted)} run{pluralize(len(halted))} halted; what they have open is cancelled."
        )
    return sent_back(request, "ui:runs")


def _chosen(request: HttpRequest) -> QuerySet[Run]:
    """The runs under way whose boxes were ticked; says so where there is none."""
    ids = [text for text in request.POST.getlist("run")[:MOST_CHOSEN] if queries.is_id(text)]
    found = Run.objects.filter(pk__in=ids, status__in=queries.ACTIVE).order_by(*queries.NEWEST_RUNS)
    if not found.exists():
        messages.warning(request, "No run that is under way was chosen: tick its box first.")
    return found


@require_POST
@page("halt")
def stop_all(request: HttpRequest) -> HttpResponse:
    if asked := asked_again(request, "Stop all sessions?", "Stop all", "ui:runs"):
        return asked
    stopped = actions.stop_all(principal=principal_of(request))
    messages.success(request, f"{len(stopped)} sessions were asked to stop.")
    return sent_back(request, "ui:runs")
