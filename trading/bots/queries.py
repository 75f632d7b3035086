"""The reads of bots: lists, one bot with all that belongs to it, and what differs between two versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet

from metadata.gate import counts_as_tested
from trading import rows
from trading.engine.errors import InvalidValue
from trading.models import Bot, BotVersion, Mode, Run, RunStatus
from trading.pages import page
from trading.recipes import Recipe

Row = dict[str, Any]

#: Runs that a bot's page and document show of what may be many.
SHOWN: Final = 100


def find(bot_id: UUID) -> Bot | None:
    return Bot.objects.filter(pk=bot_id).first()


def find_named(name: str) -> Bot | None:
    """A bot by its name, or by its id."""
    try:
        return find(UUID(name))
    except ValueError:
        return Bot.objects.filter(name=name).first()


def bots(cursor: str | None = None, limit: int = 100) -> Row:
    """A page of bots by name, each with its newest version and its last backtest. Raises `InvalidValue`."""
    newest = BotVersion.objects.order_by("bot_id", "-number").distinct("bot_id")
    backtests = Run.objects.filter(mode=Mode.BACKTEST).order_by("bot_id", "-created_at").distinct("bot_id")
    found: QuerySet[Bot] = Bot.objects.prefetch_related(
        Prefetch("versions", newest, to_attr="newest"), Prefetch("runs", backtests, to_attr="last_backtests")
    ).annotate(num_runs=Count("runs", filter=~Q(runs__mode=Mode.BACKTEST)))
    return page(found, ["name"], cursor, limit, _item)


def _item(bot: Any) -> Row:
    (version,) = bot.newest or [None]
    (backtest,) = bot.last_backtests or [None]
    return {
        **rows.bot_row(bot),
        "version": None if version is None else version.number,
        "sha256": None if version is None else version.sha256,
        "strategy": None if version is None else version.recipe["strategy"]["class"],
        "universe": [] if version is None else version.recipe["universe"],
        "sharpe": None if backtest is None else backtest.metrics.get("sharpe"),
        "num_runs": bot.num_runs,
    }


def detail(bot: Bot) -> Row:
    """A bot with its versions, newest first, and the newest of its backtests and runs."""
    runs = bot.runs.select_related("bot_version").order_by("-created_at", "-id")
    return {
        **rows.bot_row(bot),
        "versions": versions(bot),
        "backtest_runs": [rows.run_row(run) for run in runs.filter(mode=Mode.BACKTEST)[:SHOWN]],
        "runs": [rows.run_row(run) for run in runs.exclude(mode=Mode.BACKTEST)[:SHOWN]],
    }


def versions(bot: Bot) -> list[Row]:
    """The versions, newest first; ``tested`` says whether the metadata gate finds the backtest that it asks for."""
    sharpes: dict[str, list[float | None]] = {}
    finished = bot.runs.filter(mode=Mode.BACKTEST, status=RunStatus.COMPLETED)
    for digest, metrics in finished.values_list("bot_version__sha256", "metrics"):
        sharpes.setdefault(digest, []).append(metrics.get("sharpe"))
    return [
        {**rows.version_row(version), "tested": counts_as_tested(sharpes.get(version.sha256, []))}
        for version in bot.versions.order_by("-number")
    ]


def version_of(bot: Bot, number: int | None = None) -> BotVersion:
    """A version by its number, by default the newest. Raises `InvalidValue`."""
    found = bot.versions.order_by("-number")
    version = found.first() if number is None else found.filter(number=number).first()
    if version is None:
        newest = found.first()
        has = "no version yet" if newest is None else f"the versions 1 to {newest.number}"
        raise InvalidValue(f"version: bot {bot.name} has {has}{'' if number is None else f', but not {number}'}")
    return version


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Row]:
    """What differs between two recipes: ``{"field", "before", "after"}`` in a recipe's usual order, None for none."""
    one, other = dict(flat(before)), dict(flat(after))
    return [
        {"field": name, "before": one.get(name), "after": other.get(name)}
        for name in in_order(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]


def in_order(names: Iterable[str]) -> list[str]:
    """Fields of `flat` in a recipe's usual order."""
    return sorted(names, key=_place)


def _place(name: str) -> tuple[int, str]:
    section = name.partition(".")[0]
    usual = list(Recipe.model_fields)
    return (usual.index(section) if section in usual else len(usual), name)


def flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """The fields of a recipe by their paths, ``strategy.kwargs.fast``."""
    if not isinstance(value, Mapping):
        return [(name, value)]
    return [pair for inner, one in value.items() for pair in flat(one, f"{name}.{inner}" if name else inner)]
