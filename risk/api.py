"""The JSON API of stopping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from access import second_factor
from access.auth import checked, require
from access.principals import principal_of
from access.problems import Problem, invalid
from risk import actions, halting, queries, runtimes
from risk.actions import HaltReport
from risk.halting import NoSuchHalt, UnknownTarget
from risk.halts import Scope
from risk.kill_switch import ReasonMissing
from risk.runtimes import Runtime
from trading.engine.errors import InvalidValue

router = Router(tags=["risk"])


class KillRequest(Schema):
    engaged: bool = Field(description="true stops everything at once; false lets orders leave again")
    reason: str = Field("", max_length=1000, description="needed; kept with the switch")
    flatten: bool = Field(False, description="close what is held too, once the cancels are confirmed")


class KillAnswer(Schema):
    """The switch. ``epoch`` grows with each engagement; ``measured`` says how long its stop took, in milliseconds."""

    engaged: bool
    epoch: int | None
    flatten: bool
    reason: str
    engaged_at: str | None
    engaged_by: str
    released_at: str | None
    released_by: str
    release_reason: str
    durable: bool = Field(description="false while only this host's kill file says it")
    changed: bool
    measured: dict[str, Any] | None


class HaltRequest(Schema):
    reason: str = Field("", max_length=1000, description="needed with a scope; kept with the halt")
    scope: Scope | None = Field(None, description="without it every registered runtime is asked to drain")
    target: str = Field("", max_length=80, description="an account, a bot's name or id, a run's id, or a symbol")


class HaltAnswer(Schema):
    items: list[dict[str, Any]]
    next: str | None = None
    halt: dict[str, Any] | None = Field(None, description="the halt that stands now, where a scope was given")


class ReleaseRequest(Schema):
    reason: str = Field("", max_length=1000, description="needed; kept with the halt")


@contextmanager
def told_problems() -> Iterator[None]:
    """Turn what may go wrong into the problem that names the field."""
    try:
        yield
    except ReasonMissing as error:
        raise invalid([{"field": "reason", "message": str(error)}]) from error
    except (UnknownTarget, InvalidValue) as error:
        raise invalid([{"field": "target", "message": str(error)}]) from error
    except NoSuchHalt as error:
        raise Problem(404, "not_found", "No such halt", detail=str(error)) from error


@router.get("/portfolio/kill_switch", auth=require("read"), response=KillAnswer)
def get_kill_switch(request: HttpRequest) -> dict[str, Any]:
    """The switch, measured once more while its stop is not confirmed."""
    actions.follow_up()
    view = queries.kill_view()
    return queries.document(view.state, view.measured)


@router.post("/portfolio/kill_switch", auth=require("halt"), response=KillAnswer)
def set_kill_switch(request: HttpRequest, body: KillRequest) -> dict[str, Any]:
    principal = principal_of(request)
    with told_problems():
        if body.engaged:
            report = actions.kill(body.reason, principal, flatten=body.flatten)
            return queries.document(report.state, report.measured())
        checked(principal, "admin")
        second_factor.demand(request)
        return queries.document(actions.release(body.reason, principal), None)


@router.get("/portfolio/kill_switch/what-if", auth=require("read"))
def what_if_released(request: HttpRequest) -> dict[str, Any]:
    """What could trade again if the kill switch were released."""
    return queries.what_if().document()


router.add_api_operation(
    "/kill-switch",
    ["POST"],
    set_kill_switch,
    auth=require("halt"),
    response=KillAnswer,
    operation_id="set_kill_switch_by_its_other_name",
)


@router.post("/halt", auth=require("halt"), response=HaltAnswer)
def halt(request: HttpRequest, body: HaltRequest | None = None) -> dict[str, Any]:
    """Halt an account, a bot, a run or a symbol until that is released; without a scope, ask every registered runtime
    to drain. A row for each runtime. The kill switch is not touched."""
    principal = principal_of(request)
    if body is None or body.scope is None:
        return {"items": msgspec.to_builtins(actions.halt(body.reason if body else "", principal))}
    with told_problems():
        return halted(actions.halt_scope(body.scope, body.target, body.reason, principal))


def halted(report: HaltReport) -> dict[str, Any]:
    """A scoped halt as the API and the command line answer it."""
    row = {**queries.halt_row(report.halting.halt), "changed": report.halting.changed}
    items = msgspec.to_builtins(report.rows)
    return {"items": items, "next": None, "halt": {**row, "gate_closed_ms": report.gate_closed_ms}}


@router.get("/halts", auth=require("read"))
def list_halts(request: HttpRequest) -> dict[str, Any]:
    """The halts that stand, newest first."""
    return {"items": [queries.halt_row(row) for row in halting.standing()], "next": None}


@router.get("/halts/{halt_id}/what-if", auth=require("read"))
def what_if_halt_released(request: HttpRequest, halt_id: int) -> dict[str, Any]:
    """What could trade again if this halt were released."""
    with told_problems():
        return queries.what_if(halting.find(halt_id)).document()


@router.post("/halts/{halt_id}/release", auth=require("admin"))
def release_halt(request: HttpRequest, halt_id: int, body: ReleaseRequest) -> dict[str, Any]:
    """Release one halt; nothing restarts by itself."""
    second_factor.demand(request)
    with told_problems():
        done = actions.release_halt(halt_id, body.reason, principal_of(request))
    return {**queries.halt_row(done.halt), "changed": done.changed}


def own_halts() -> Router:
    """The halts of the registered runtimes that have a path of their own."""
    own = Router(tags=["risk"])
    for runtime in runtimes.registered():
        if runtime.path:
            name = runtime.path.strip("/").replace("/", "_").replace("-", "_")
            own.add_api_operation(
                runtime.path, ["POST"], _halt_of(runtime), auth=require("halt"), response=HaltAnswer, operation_id=name
            )
    return own


def _halt_of(runtime: Runtime) -> Callable[..., dict[str, Any]]:
    def halt_runtime(request: HttpRequest, body: HaltRequest | None = None) -> dict[str, Any]:
        row = actions.halt_one(runtime, body.reason if body else "", principal_of(request))
        return {"items": [msgspec.to_builtins(row)]}

    halt_runtime.__doc__ = f"Ask {runtime.name} alone to halt."
    return halt_runtime
