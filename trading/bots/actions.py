"""The verbs of bots. A run that is started from a bot carries the version that it was started from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from access import audit
from access.principals import Principal
from trading import actions, recipes, runner
from trading.bots.queries import version_of
from trading.models import Bot, BotVersion, Run
from trading.parts import assemble


@transaction.atomic
def save_bot(name: str, config: actions.Config, *, principal: Principal) -> Bot:
    """Save a recipe under a name; saving another recipe under the same name adds a version.

    Raises `trading.recipes.RecipeError`. What is saved already is not saved again.
    """
    recipe = runner.read_recipe(config)
    assemble(recipe)
    bot, _ = Bot.objects.get_or_create(name=name)
    bot = Bot.objects.select_for_update().get(pk=bot.pk)
    latest = bot.versions.order_by("-number").first()
    digest = recipes.sha256(recipe)
    if latest is None or latest.sha256 != digest:
        number = 1 if latest is None else latest.number + 1
        BotVersion.objects.create(bot=bot, number=number, recipe=recipes.redacted(recipe), sha256=digest)
        audit.record(principal, "bot.save", f"bot:{bot.id}", name=name, version=number)
    return bot


def start_backtest(
    bot: Bot,
    *,
    principal: Principal,
    version: int | None = None,
    data: str | None = None,
    enqueue: bool = True,
    thorough: bool = False,
) -> Run:
    """Queue a backtest of a bot's version, by default the newest, on its own feed or on the bars of the file or folder
    ``data``. Raises as `trading.actions.start_backtest` does."""
    chosen = version_of(bot, version)
    recipe = runner.read_recipe(chosen.recipe)
    if data is not None:
        recipe = recipes.with_feed(recipe, "ReplayFeed", {"path": data, "speed": "max"})
    return actions.start_backtest(
        recipe, principal=principal, bot=bot, bot_version=chosen, enqueue=enqueue, thorough=thorough
    )


def start_paper(
    bot: Bot,
    *,
    principal: Principal,
    version: int | None = None,
    starting_cash: float | None = None,
    duration_minutes: float | None = None,
) -> Run:
    """Start a session of a bot's version, by default the newest. Raises as `trading.actions.start_paper` does."""
    chosen = version_of(bot, version)
    recipe = _with(chosen.recipe, starting_cash, duration_minutes)
    return actions.start_paper(recipe, principal=principal, bot=bot, bot_version=chosen)


def _with(recipe: Mapping[str, Any], starting_cash: float | None, duration_minutes: float | None) -> dict[str, Any]:
    """A recipe with another starting cash and duration, where given."""
    changed = copy.deepcopy(dict(recipe))
    if starting_cash is not None:
        changed["brokerage"].setdefault("kwargs", {})["starting_cash"] = starting_cash
    if duration_minutes is not None:
        changed["session"]["duration_minutes"] = duration_minutes
    return changed
