"""The pages of bots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access.auth import page
from access.principals import Principal, principal_of
from trading.bots import forms, queries
from trading.bots.forms import BotForm
from trading.engine.errors import InvalidValue, TradingError
from trading.forms import as_yaml, configs
from trading.models import Bot, Mode, Run

BOTS_A_PAGE = 50


def _bot(bot_id: UUID) -> Bot:
    bot = queries.find(bot_id)
    if bot is None:
        raise Http404(f"there is no bot {bot_id}")
    return bot


def _render(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    rights = {"may_trade": principal_of(request).may("trade")}
    return render(request, f"bots/{name}.html", {**rights, **context}, status=status)


@never_cache
@require_GET
@page("read")
def bots(request: HttpRequest) -> HttpResponse:
    try:
        found = queries.bots(request.GET.get("after"), BOTS_A_PAGE)
    except InvalidValue as error:
        raise Http404(str(error)) from error
    return _render(request, "bots", found)


@never_cache
@require_GET
@page("read")
def bot(request: HttpRequest, bot_id: UUID) -> HttpResponse:
    return _bot_page(request, _bot(bot_id))


def _bot_page(request: HttpRequest, found: Bot, refusal: str = "", status: int = 200) -> HttpResponse:
    detail = queries.detail(found)
    newest = detail["versions"][0] if detail["versions"] else None
    context = {
        **detail,
        "newest": newest,
        "recipe": "" if newest is None else as_yaml(newest["recipe"]),
        "compared": _compared(request, detail["versions"]),
        "refusal": refusal,
    }
    return _render(request, "bot", context, status)


def _compared(request: HttpRequest, versions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Two versions side by side: those that were asked for, or the last two; None where there is but one."""
    by_number = {str(one["number"]): one for one in versions}
    numbers = list(by_number)
    if len(numbers) < 2:
        return None
    before = by_number.get(request.GET.get("before", ""), by_number[numbers[1]])
    after = by_number.get(request.GET.get("after", ""), by_number[numbers[0]])
    found = queries.differences(before["recipe"], after["recipe"])
    rows = [{**row, "before": _shown(row["before"]), "after": _shown(row["after"])} for row in found]
    return {"before": before["number"], "after": after["number"], "rows": rows}


def _shown(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


@never_cache
@require_http_methods(["GET", "POST"])
def bot_new(request: HttpRequest) -> HttpResponse:
    return _save(request, request.POST.get("name", "").strip()) if request.method == "POST" else _show_new(request)


@page("read")
def _show_new(request: HttpRequest) -> HttpResponse:
    ready = configs()
    chosen = request.GET.get("config", "demo")
    text = next((one.text for one in ready if one.name == chosen), "")
    return _form_page(request, BotForm(chosen if text else "", text), chosen=chosen)


@never_cache
@require_http_methods(["GET", "POST"])
@page("read")
def bot_recipe(request: HttpRequest, bot_id: UUID) -> HttpResponse:
    found = _bot(bot_id)
    return _save(request, found.name, found) if request.method == "POST" else _show_recipe(request, found)


@page("read")
def _show_recipe(request: HttpRequest, found: Bot) -> HttpResponse:
    version = found.versions.order_by("-number").first()
    return _form_page(request, BotForm(found.name, "" if version is None else as_yaml(version.recipe)), found)


@page("trade")
def _save(request: HttpRequest, name: str, found: Bot | None = None) -> HttpResponse:
    form = BotForm(name, request.POST.get("recipe", ""))
    saved = form.save(principal_of(request))
    if saved is None:
        return _form_page(request, form, found, status=422)
    newest = queries.version_of(saved)
    messages.success(request, f"{saved.name} is at version {newest.number}.")
    return redirect("ui:bot", saved.pk)


def _form_page(
    request: HttpRequest, form: BotForm, found: Bot | None = None, chosen: str = "", status: int = 200
) -> HttpResponse:
    context = {"form": form, "bot": found, "configs": [] if found else configs(), "chosen": chosen}
    return _render(request, "save", context, status)


@require_POST
@page("trade")
def bot_backtest(request: HttpRequest, bot_id: UUID) -> HttpResponse:
    return _start(request, _bot(bot_id), forms.start_backtest)


@require_POST
@page("trade")
def bot_paper(request: HttpRequest, bot_id: UUID) -> HttpResponse:
    return _start(request, _bot(bot_id), forms.start_paper)


def _start(request: HttpRequest, found: Bot, start: Callable[[Bot, Mapping[str, Any], Principal], Run]) -> HttpResponse:
    try:
        run = start(found, request.POST, principal_of(request))
    except TradingError as error:
        return _bot_page(request, found, str(error), status=422)
    return redirect("ui:backtest" if run.mode == Mode.BACKTEST else "ui:run", run.pk)
