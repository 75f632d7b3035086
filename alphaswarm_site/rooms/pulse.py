"""What the bar says of the stack and of the venues: little while all is well, and what is amiss by its name."""

from __future__ import annotations

from typing import Any

import redis
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.auth import page
from alphaswarm_site import health, heartbeat
from trading.venues import queries


@never_cache
@require_GET
@page("read")
def pulse(request: HttpRequest) -> HttpResponse:
    return render(request, "system/_pulse.html", read())


def read() -> dict[str, Any]:
    """``workers`` that are alive, None where nobody can tell; ``venues``, how many accounts there are in use; and in
    ``amiss`` the parts that are missing and the accounts in use that cannot trade."""
    in_use = [one for one in queries.accounts() if one["sessions"] or one["promotion"] or _is_open(one)]
    missing = [f"{name} missing" for name, part in health.parts().items() if not part["ok"]]
    closed = [f"{one['account']}: {_trouble(one)}" for one in in_use if _trouble(one)]
    return {"workers": _workers(), "venues": len(in_use), "amiss": [*missing, *closed]}


def _is_open(account: dict[str, Any]) -> bool:
    """Whether the breaker is."""
    return bool((account["breaker"] or {}).get("open"))


def _trouble(account: dict[str, Any]) -> str:
    if _is_open(account):
        return "breaker open"
    return "not ready" if account["ready"] is False else ""


def _workers() -> int | None:
    try:
        with heartbeat.client() as server:
            return sum(bool(one.queues) for one in heartbeat.living(server))
    except redis.RedisError:
        return None
