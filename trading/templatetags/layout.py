"""What `base.html` needs on every page, so that no view has to pass it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django import template
from django.urls import ResolverMatch

from risk import promotion
from trading import queries
from trading.accounts import KINDS

register = template.Library()


@register.inclusion_tag("trading/_mode.html", name="mode_badge")
def mode_context() -> dict[str, Any]:
    """The kinds of money that sessions are trading now, what matters most first, and the accounts that may trade real
    money whether or not one does."""
    counts = queries.open_kinds()
    return {
        "kinds": [{"kind": kind, "count": counts[kind]} for kind in KINDS if kind in counts],
        "promoted": [one["account"] for one in promotion.standing()],
    }


class Section(NamedTuple):
    """A link of the navigation; ``names`` are the routes of the pages that belong to it, ``name`` is the first's."""

    title: str
    name: str
    names: frozenset[str]


def _section(title: str, name: str, *names: str) -> Section:
    return Section(title, name, frozenset({name.split(":")[1], *names}))


#: Django's admin, which is for staff.
INSPECTOR: Final = "admin:index"

#: What there is, in the order of its use, by group. A group's link leads to its first section.
GROUPS: Final[dict[str, list[Section]]] = {
    "Trading": [
        _section("Portfolio", "ui:portfolio"),
        _section("Runs", "ui:runs", "run", "run_orders", "run_fills", "why"),
        _section("Bots", "ui:bots", "bot", "bot_new", "bot_recipe"),
        _section("Backtests", "ui:backtests", "backtest", "backtest_trades", "compare"),
        _section("Sweeps", "ui:sweeps", "sweep", "sweep_new", "sweep_trials"),
        _section("Start a run", "ui:run_new"),
    ],
    "Safety": [
        _section("Risk", "ui:risk", "risk_events", "halts", "halt_release", "run_resume", "kill", "kill_release"),
        _section("Reconciliation", "ui:reconciliation", "reconcile_adopt", "reconcile_ignore", "reconcile_flatten"),
        _section("Accounts", "ui:accounts", "venue_account", "account_promote", "account_limits", "breaker_reset"),
        _section("Alerts", "ui:alerts"),
    ],
    "Records": [
        _section("Ledger", "ui:ledger", "ledger_download"),
        _section("Metadata", "ui:metadata", "aspects"),
        _section("Audit", "site:audit", "audit_download"),
        _section("Inspector", INSPECTOR),
    ],
    "System": [
        _section("System", "site:system"),
        _section("Settings", "site:settings", "token_new", "token_revoke", "account"),
    ],
}


def open_to(user: Any, group: str) -> list[Section]:
    """The sections of a group that a user may open."""
    return [one for one in GROUPS[group] if one.name != INSPECTOR or (user and user.is_staff)]


@register.inclusion_tag("trading/_navigation.html", takes_context=True)
def navigation(context: dict[str, Any]) -> dict[str, Any]:
    """The groups, and below them the sections of the group that the page is in; of the first where it is in none."""
    user, name = context["request"].user, _place(context["request"].resolver_match)
    here = next((group for group, sections in GROUPS.items() if any(name in one.names for one in sections)), None)
    groups = [{"title": group, "name": sections[0].name, "here": group == here} for group, sections in GROUPS.items()]
    sections = [{"section": one, "here": name in one.names} for one in open_to(user, here or "Trading")]
    return {"groups": groups, "sections": sections, "group": here or "Trading", "user": user}


def _place(match: ResolverMatch | None) -> str:
    """The name by which a section knows the page; all pages of the inspector are one place."""
    if match is None:
        return ""
    return "index" if match.namespace == "admin" else match.url_name or ""
