"""The pages of sweeps. What is under way asks for its fragment again every second or three."""

from __future__ import annotations

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from access.auth import page
from access.principals import principal_of
from trading.engine.errors import InvalidValue, TradingError
from trading.forms import configs
from trading.rendering import asked_again, rendered
from trading.sweeps import actions, queries
from trading.sweeps.drawing import SUMMARIES, heat_map, walked_chart
from trading.sweeps.forms import OBJECTIVES, SweepForm, suggested
from trading.sweeps.models import Sweep
from trading.sweeps.text import luck_sentence

#: Trials that a sweep's page shows of what may be many.
BEST: Final = 20
#: Seconds between two looks at a sweep under way: of one of many trials a look costs more.
_POLL, _POLL_LARGE, _LARGE = 1, 3, 1000


_render = partial(rendered, "sweeps")


def _sweep(sweep_id: UUID) -> Sweep:
    found = queries.find(sweep_id)
    if found is None:
        raise Http404(f"there is no sweep {sweep_id}")
    return found


@never_cache
@require_GET
@page("read")
def sweeps(request: HttpRequest) -> HttpResponse:
    try:
        found = queries.sweeps(request.GET.get("after"))
    except InvalidValue as error:
        raise Http404(str(error)) from error
    return _render(request, "sweeps", {**found, "polls": any(one["active"] for one in found["items"])})


@never_cache
@require_GET
@page("read")
def sweep(request: HttpRequest, sweep_id: UUID) -> HttpResponse:
    found = _sweep(sweep_id)
    detail = queries.sweep_detail(found)
    walked = detail["walk_forward"]
    context = {
        "sweep": detail,
        "objective_name": OBJECTIVES[detail["objective"]],
        "sentence": luck_sentence(detail["luck"]),
        "best": queries.trials(found, "-score", limit=BEST)["items"],
        "heat": _heat(request, found),
        "chart": None if walked is None else walked_chart(walked["curve"]),
        "poll": _POLL if found.trial_count <= _LARGE else _POLL_LARGE,
    }
    return _render(request, "sweep", context)


def _heat(request: HttpRequest, sweep: Sweep) -> dict[str, Any]:
    """The heat map of the two parameters that were asked for, by default the first two."""
    names = list(sweep.spec["parameters"])
    x, summary = request.GET.get("x", names[0]), request.GET.get("show", "median")
    other = next((name for name in names if name != x), None)
    y = request.GET.get("y", other)
    if x not in names or (y is not None and y not in names) or summary not in SUMMARIES:
        raise Http404("there is no such parameter")
    if y == x:
        # Who picks for one axis what is on the other one wants them turned.
        y = other
    trials = [(one, score) for one, score in sweep.trials.values_list("params", "score") if score is not None]
    return {
        "map": heat_map(trials, x, y, summary),
        "names": names,
        "x": x,
        "y": y,
        "show": summary,
        "summaries": list(SUMMARIES),
    }


@never_cache
@require_GET
@page("read")
def sweep_trials(request: HttpRequest, sweep_id: UUID) -> HttpResponse:
    found, sort = _sweep(sweep_id), request.GET.get("sort", "number")
    try:
        trials = queries.trials(found, sort, request.GET.get("after"))
    except InvalidValue as error:
        raise Http404(str(error)) from error
    context = {**trials, "sweep": queries.sweep_row(found), "sort": sort, "sorts": queries.SORTS}
    return _render(request, "trials", {**context, "objective_name": OBJECTIVES[found.spec["objective"]]})


@never_cache
@require_http_methods(["GET", "POST"])
def sweep_new(request: HttpRequest) -> HttpResponse:
    return _start(request) if request.method == "POST" else _show_form(request)


@page("read")
def _show_form(request: HttpRequest) -> HttpResponse:
    chosen = request.GET.get("config", "sim_sma_cross")
    text = next((one.text for one in configs() if one.name == chosen), "")
    return _form_page(request, SweepForm(recipe=text, parameters=suggested(text)), chosen)


@page("trade")
def _start(request: HttpRequest) -> HttpResponse:
    form = SweepForm.of(request.POST)
    started = form.start(principal_of(request))
    if started is None:
        return _form_page(request, form, status=422)
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(f"/ui/sweeps/{started.pk}/")
    return redirect("ui:sweep", started.pk)


def _form_page(request: HttpRequest, form: SweepForm, chosen: str = "", status: int = 200) -> HttpResponse:
    return _render(
        request, "new", {"form": form, "configs": configs(), "chosen": chosen, "objectives": OBJECTIVES}, status
    )


@require_POST
@page("trade")
def sweep_cancel(request: HttpRequest, sweep_id: UUID) -> HttpResponse:
    sweep = _sweep(sweep_id)
    if asked := asked_again(request, f"Cancel {sweep.name}?", "Cancel the sweep", "ui:sweeps"):
        return asked
    cancelled = actions.cancel_sweep(sweep, principal=principal_of(request))
    messages.success(request, f"{cancelled.name} is {cancelled.status}; what was done stays.")
    return redirect("ui:sweep", sweep_id)


@require_POST
@page("trade")
def trial_backtest(request: HttpRequest, sweep_id: UUID, number: int) -> HttpResponse:
    trial = queries.trial(sweep_id, number)
    if trial is None:
        raise Http404(f"there is no trial {number} of a sweep {sweep_id}")
    try:
        run = actions.promote_trial(trial, principal=principal_of(request))
    except TradingError as error:
        messages.error(request, str(error))
        return redirect("ui:sweep", sweep_id)
    messages.success(request, f"Trial {number} runs again as a full backtest.")
    return redirect("ui:run", run.pk)
