"""Every page of the site, by its name, with an address that has something to show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

from bench.many import Site

#: Whose routes are pages.
NAMESPACES = ("ui", "access", "site")
#: What a page must be asked with to have something to show.
ASKED = {"ui:portfolio_chart": "?kind=synthetic", "ui:backtest_prices": "?symbol=SPY"}

#: Tables of the ledger that the admin lists.
INSPECTED = ("run", "order", "fill", "position", "equitypoint", "riskevent", "ledgerevent", "ledgeranchor")


def pages(made: Site) -> dict[str, str]:
    """The address of each route below /ui/ by its name, verbs among them, which answer GET with 405; of the tear sheet
    of a session under way; and of the admin's lists of the ledger."""
    rooms = {name: _address(made, name, route) for name, route in _named_routes(get_resolver().url_patterns)}
    rooms["ui:backtest of a session"] = reverse("ui:backtest", kwargs={"run_id": made.sessions[0].pk})
    return rooms | {f"admin:{name}": reverse(f"admin:trading_{name}_changelist") for name in INSPECTED}


def _named_routes(patterns: list[Any], namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from _named_routes(one.url_patterns, one.namespace or namespace)
        elif namespace in NAMESPACES and one.name:
            yield f"{namespace}:{one.name}", one


def _address(made: Site, name: str, route: URLPattern) -> str:
    known = made.parameters(name.partition(":")[2])
    wanted = route.pattern.converters
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise LookupError(f"{name}: say in bench.many.Site.parameters what {', '.join(missing)} is")
    address = reverse(name, kwargs={parameter: known[parameter] for parameter in wanted})
    return address + ASKED.get(name, "")
