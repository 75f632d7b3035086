"""What can be gone to and done from anywhere: pages with their shortcuts, verbs, and what a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User
from django.urls import reverse

from access.principals import Principal
from trading import queries
from trading.accounts import kind_of
from trading.models import Bot, Run
from trading.templatetags.layout import GROUPS, open_to
from trading.templatetags.shortcuts import SHORTCUTS

#: Runs and bots that a search shows.
SHOWN: Final = 8


@dataclass(frozen=True)
class Command:
    """``url`` is gone to or, where ``confirm`` asks for a second press, posted to."""

    title: str
    url: str
    group: str
    note: str = ""
    keys: str = ""
    confirm: str = ""


def pages(user: User | None) -> list[Command]:
    """Those that the user may open."""
    return [
        Command(one.title, reverse(one.name), group, keys=SHORTCUTS.get(one.name, ""))
        for group in GROUPS
        for one in open_to(user, group)
    ]


def found(text: str, principal: Principal) -> list[Command]:
    """Everything that a text is part of the name of; without one, the pages and verbs."""
    text = text.strip()
    words = text.lower().split()
    known = [*verbs(principal), *pages(principal.user)]
    commands = [one for one in known if all(word in f"{one.group} {one.title}".lower() for word in words)]
    return [*commands, *_runs(text), *_bots(text)] if text else commands


def verbs(principal: Principal) -> list[Command]:
    """What the caller may do; what lets more trade is done on a page of its own."""
    offered = {
        "halt": [
            Command("Engage the kill switch…", reverse("ui:kill"), "Verb", "Ends every session", keys="k k"),
            Command("Stop all sessions", reverse("ui:stop_all"), "Verb", confirm="Press again to stop all"),
            Command("Halt a symbol, a run, a bot or an account…", reverse("ui:halts"), "Verb"),
        ],
        "trade": [Command("Save a bot…", reverse("ui:bot_new"), "Verb")],
    }
    return [one for scope, commands in offered.items() if principal.may(scope) for one in commands]


def _runs(text: str) -> list[Command]:
    wanted = queries.RunFilter(search=text).apply(Run.objects.all()).order_by(*queries.NEWEST_RUNS)
    return [Command(run.name, _run_url(run), "Run", _about(run)) for run in wanted.defer("recipe", "state")[:SHOWN]]


def _run_url(run: Run) -> str:
    return reverse("ui:backtest" if kind_of(run) == "backtest" else "ui:run", args=[run.pk])


def _about(run: Run) -> str:
    return f"{kind_of(run)}, {run.status}, {str(run.pk)[:8]}"


def _bots(text: str) -> list[Command]:
    wanted: Any = Bot.objects.filter(name__icontains=text).order_by("name")[:SHOWN]
    return [Command(bot.name, reverse("ui:bot", args=[bot.pk]), "Bot") for bot in wanted]
