"""The page of alerts, and the bell of the top bar."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from access.auth import page
from access.principals import principal_of
from risk.alert_models import Severity
from risk.alerts import actions, queries
from risk.alerts.actions import NoSuchAlert, NoSuchChannel
from risk.alerts.queries import BadFilter

ALERTS_A_PAGE = 50


@never_cache
@require_GET
@page("read")
def alerts(request: HttpRequest) -> HttpResponse:
    wanted = {name: request.GET.get(name, "") for name in ("kind", "severity", "open")}
    try:
        found = queries.alerts(
            wanted["kind"], wanted["severity"], bool(wanted["open"]), request.GET.get("after"), ALERTS_A_PAGE
        )
    except BadFilter as error:
        raise Http404(str(error)) from error
    context: dict[str, Any] = {
        **found,
        "wanted": wanted,
        "kinds": queries.KINDS,
        "severities": Severity.choices,
        "may_trade": principal_of(request).may("trade"),
    }
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "risk/_alert_list.html", context)
    context |= {"channels": queries.channel_rows(), "heartbeat": queries.heartbeat_row()}
    return render(request, "risk/alerts.html", context)


@never_cache
@require_GET
@page("read")
def bell(request: HttpRequest) -> HttpResponse:
    return render(request, "risk/_bell.html")


@require_POST
@page("trade")
def acknowledge(request: HttpRequest, alert_id: int) -> HttpResponse:
    try:
        actions.acknowledge(alert_id, principal_of(request))
    except NoSuchAlert as error:
        raise Http404(str(error)) from error
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure()):
        return redirect(back)
    return redirect("ui:alerts")


@require_POST
@page("trade")
def test(request: HttpRequest) -> HttpResponse:
    try:
        rows = actions.test(principal_of(request), request.POST.get("channel") or None)
    except NoSuchChannel as error:
        raise Http404(str(error)) from error
    for row in rows:
        took = "" if row["milliseconds"] is None else f" ({row['milliseconds']:.0f} ms)"
        said = f"{row['channel']}: {row['detail']}{took}"
        level = messages.SUCCESS if row["ok"] else messages.ERROR if row["milliseconds"] is not None else messages.INFO
        messages.add_message(request, level, said)
    return redirect("ui:alerts")
