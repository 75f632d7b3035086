"""The site's pages, and an API whose calls need each scope, take effect, fail, and demand a second factor."""

import threading

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import Field, NinjaAPI, Schema

from access import problems, second_factor
from access.auth import page, require
from access.models import AuditEntry
from access.principals import Principal, principal_of
from alphaswarm_site import urls as site

api = NinjaAPI(title="Tests", urls_namespace="access-tests")
problems.install(api)
#: Held by a test, it keeps `POST /effects` from ending.
may_end = threading.Event()


class Effect(Schema):
    name: str
    size: int = Field(1, ge=1)


@api.get("/read", auth=require("read"))
def read(request: HttpRequest) -> dict[str, str]:
    return {"caller": str(principal_of(request))}


@api.post("/effects", auth=require("trade"), response={201: dict})
def effects(request: HttpRequest, effect: Effect) -> dict[str, int]:
    made = AuditEntry.objects.create(actor="tests", verb="effect", target=effect.name)
    may_end.wait(10)
    return {"id": made.pk}


@api.post("/danger", auth=require("admin"))
def danger(request: HttpRequest) -> dict[str, bool]:
    second_factor.demand(request)
    return {"done": True}


@api.post("/broken", auth=require("read"))
def broken(request: HttpRequest) -> None:
    AuditEntry.objects.create(actor="tests", verb="effect", target="broken")
    raise RuntimeError("a secret of the inside")


@api.post("/away", auth=require("read"))
def away(request: HttpRequest) -> None:
    raise OperationalError("connection to server at hunter2 failed")


@page("trade")
def trading_page(request: HttpRequest) -> HttpResponse:
    who: Principal = principal_of(request)
    return HttpResponse(f"welcome, {who.name}")


urlpatterns = [
    path("ui/trading/", trading_page),
    *site.urlpatterns[:-1],
    path("", api.urls),
]
