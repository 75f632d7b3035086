"""Why no order? As a page."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.auth import page
from trading.engine.errors import TradingError
from trading.models import Run
from trading.rendering import rendered, run_or_404
from trading.trail.api import MOST_BARS, in_utc
from trading.trail.finding import trail


class MomentForm(forms.Form):
    """Which moment of the run is asked about."""

    symbol = forms.ChoiceField(required=False)
    at = forms.DateTimeField(
        required=False,
        label="At or before (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
        input_formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"],
    )
    order = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, run: Run, data: Any) -> None:
        super().__init__(data)
        symbols = run.recipe.get("universe", [])
        self.fields["symbol"].choices = [("", "all symbols"), *((symbol, symbol) for symbol in symbols)]


@never_cache
@require_GET
@page("read")
def why(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = run_or_404(run_id)
    form = MomentForm(run, request.GET)
    context: dict[str, Any] = {"run": run, "form": form}
    if not form.is_valid():
        return rendered("trail", request, "why", context, status=422)
    wanted = form.cleaned_data
    try:
        found = trail(
            run,
            at=in_utc(wanted["at"]),
            symbol=wanted["symbol"] or None,
            order_id=wanted["order"] or None,
            most_bars=MOST_BARS,
        )
    except TradingError as error:
        return rendered("trail", request, "why", {**context, "problem": str(error)}, status=422)
    knew = None if found.knew is None else json.dumps(found.knew, indent=2)
    return rendered("trail", request, "why", {**context, "trail": found, "knew": knew})
