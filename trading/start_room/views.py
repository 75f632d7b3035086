"""The page on which a run is started, and what it says while somebody types."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from access.auth import page
from access.principals import principal_of
from trading.forms import as_yaml, configs
from trading.models import Mode
from trading.rendering import run_or_404
from trading.start_room.forms import RecipeForm


@never_cache
@require_http_methods(["GET", "POST"])
def run_new(request: HttpRequest) -> HttpResponse:
    return _start(request) if request.method == "POST" else _show(request)


@page("read")
def _show(request: HttpRequest) -> HttpResponse:
    """A ready recipe by ``config``, or that of an earlier run by ``run``."""
    chosen, run = request.GET.get("config", "demo"), request.GET.get("run")
    if run is not None:
        return _checked(request, RecipeForm(as_yaml(run_or_404(_id(run)).recipe)))
    text = next((one.text for one in configs() if one.name == chosen), "")
    return _checked(request, RecipeForm(text), chosen)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


@never_cache
@require_POST
@page("read")
def check(request: HttpRequest) -> HttpResponse:
    """The same form, with what stands against it and what would come of it; nothing is started."""
    return _checked(request, RecipeForm.typed(request.POST))


@page("trade")
def _start(request: HttpRequest) -> HttpResponse:
    form = RecipeForm.typed(request.POST)
    started = form.start(request.POST.get("as", "paper"), principal_of(request))
    if started is None:
        return _page(request, form, status=422)
    page_of_it = reverse("ui:backtest" if started.mode == Mode.BACKTEST else "ui:run", args=[started.pk])
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(page_of_it)
    return redirect(page_of_it)


def _checked(request: HttpRequest, form: RecipeForm, chosen: str = "") -> HttpResponse:
    form.check()
    # A rehearsal reads what the recipe names, as a start does: only who may start may have it.
    form.foresee(rehearse=principal_of(request).may("trade"))
    return _page(request, form, chosen)


def _page(request: HttpRequest, form: RecipeForm, chosen: str = "", status: int = 200) -> HttpResponse:
    template = "start/_form.html" if request.htmx else "start/new.html"  # type: ignore[attr-defined]
    context = {
        "form": form,
        "configs": configs(),
        "chosen": chosen,
        "may_trade": principal_of(request).may("trade"),
    }
    return render(request, template, context, status=status)
