"""The one NinjaAPI, mounted at the root. Its description at /api/docs is open: it says nothing of this installation."""

from ipaddress import ip_address
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from prometheus_client import CONTENT_TYPE_LATEST

import metadata.api
import risk.alerts.api
import risk.api
import risk.promotion_api
import trading.account_room.api
import trading.api
import trading.bots.api
import trading.guard.api
import trading.inbox.api
import trading.ledger_api
import trading.oversight.api
import trading.replay.api
import trading.sweeps.api
import trading.trail.api
import trading.venues.api
from access import problems
from access.auth import authenticate
from access.problems import Problem
from alphaswarm_site import health, metrics

api = NinjaAPI(title="AlphaSwarm", docs_url="/api/docs", openapi_url="/api/openapi.json")
problems.install(api)
api.add_router("", metadata.api.router)
api.add_router("", risk.alerts.api.router)
api.add_router("", risk.api.router)
api.add_router("", risk.promotion_api.router)
api.add_router("", risk.api.own_halts())
api.add_router("", trading.account_room.api.router)
api.add_router("", trading.api.router)
api.add_router("", trading.bots.api.router)
api.add_router("", trading.guard.api.router)
api.add_router("", trading.inbox.api.router)
api.add_router("", trading.ledger_api.router)
api.add_router("", trading.oversight.api.router)
api.add_router("", trading.replay.api.router)
api.add_router("", trading.sweeps.api.router)
api.add_router("", trading.trail.api.router)
# After those whose paths below /accounts are words, for here an account's name stands in their place.
api.add_router("", trading.venues.api.router)


@api.get("/healthz", tags=["health"], summary="Whether this process answers")
def healthz(request: HttpRequest) -> dict[str, str]:
    return {"status": "ok"}


@api.get("/readyz", tags=["health"], summary="Whether every part is there")
def readyz(request: HttpRequest) -> dict[str, Any]:
    parts = health.parts()
    missing = [name for name, part in parts.items() if not part["ok"]]
    if missing:
        raise Problem(503, "not_ready", "Not ready", f"missing: {', '.join(missing)}", parts=parts)
    return {"status": "ready", "parts": parts}


@api.get("/metrics", tags=["health"], summary="Figures for Prometheus")
def prometheus(request: HttpRequest) -> HttpResponse:
    """Open to this machine itself; through a proxy or from elsewhere it needs the scope `read`."""
    if not _from_this_machine(request):
        authenticate(request, "read")
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


def _from_this_machine(request: HttpRequest) -> bool:
    forwarded = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP"))
    address = request.META.get("REMOTE_ADDR") or ""
    try:
        return not forwarded and ip_address(address).is_loopback
    except ValueError:
        return False
