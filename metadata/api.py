"""Aspects and the metadata gate as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from access.auth import require
from access.principals import principal_of
from access.problems import Problem, invalid
from metadata import aspects, gate
from metadata.models import Aspect
from metadata.urn import InvalidUrn, Urn

router = Router(tags=["metadata"])

AspectName = Annotated[str | None, Query(pattern=f"^{aspects.NAME.pattern}$")]
MODEL = "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1"
PIPELINE = "urn:alphaswarm:pipeline:prod:alpaca_mean_reversion_loop"


class AspectOut(Schema):
    urn: str
    name: str
    version: int
    payload: dict[str, Any]
    created_at: datetime
    created_by: str


class AspectList(Schema):
    urn: str
    items: list[AspectOut]
    next: None = None


class AspectIn(Schema):
    urn: str = Field(examples=[MODEL])
    name: str = Field(examples=["model"])
    payload: dict[str, Any] = Field(examples=[{"status": "Staging"}])


class GateQuestion(Schema):
    model_urn: str | None = Field(None, examples=[MODEL])
    pipeline_urn: str | None = Field(None, examples=[PIPELINE])
    bot_sharpes: list[float | None] | None = Field(None, description="of a bot's finished backtests; none: no bot")


class ReasonOut(Schema):
    code: str
    message: str
    urn: str | None


class GateAnswer(Schema):
    allowed: bool
    reasons: list[ReasonOut]


@router.get("/metadata/aspects/{urn}", response=AspectList, auth=require("read"), summary="What is known about a URN")
def read_aspects(request: HttpRequest, urn: str, name: AspectName = None) -> dict[str, Any]:
    """The newest version of each aspect; with `name`, every version of that one, newest first."""
    try:
        Urn.parse(urn)
    except InvalidUrn as error:
        raise invalid([{"field": "urn", "message": str(error)}]) from error
    found: list[Aspect] = list(aspects.history(urn, name)) if name else aspects.latest(urn)
    if not found:
        about = f"{urn} has no aspect {name}" if name else f"nothing is known about {urn}"
        raise Problem(404, "not_found", "No such aspect", about)
    return {"urn": urn, "items": found}


@router.post("/metadata/aspects", response={201: AspectOut}, auth=require("trade"), summary="Write an aspect")
def write_aspect(request: HttpRequest, aspect: AspectIn) -> Aspect:
    """A new version; the ones before stay as they are."""
    try:
        return aspects.write_aspect(aspect.urn, aspect.name, aspect.payload, actor=principal_of(request))
    except InvalidUrn as error:
        raise invalid([{"field": "urn", "message": str(error)}]) from error
    except aspects.InvalidAspect as error:
        raise invalid([{"field": error.field, "message": str(error)}]) from error


@router.post("/metadata/gate/check", response=GateAnswer, auth=require("read"), summary="Ask the metadata gate")
def check_gate(request: HttpRequest, question: GateQuestion) -> gate.GateDecision:
    """What the gate would say to a run now, with every reason; nothing is started."""
    return gate.check(question.model_urn, question.pipeline_urn, question.bot_sharpes)
