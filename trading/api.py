"""The JSON API of runs, backtests and the portfolio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Body, Query, Router, Schema
from pydantic import Field

from access import second_factor
from access.auth import require
from access.problems import Problem, invalid
from trading import actions, frames, queries, recipes, rows
from trading.admission import warnings_of
from trading.engine.errors import InvalidValue, TradingError
from trading.models import EquityPoint, Fill, Mode, Order, Run
from trading.pages import page
from trading.recipes import RecipeError

router = Router(tags=["trading"])

Recipe = Annotated[dict[str, Any], Body(description='a recipe, or {"config": "name of a file in configs/paper"}')]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(description="the `next` of the page before")]


@contextmanager
def told_problems() -> Iterator[None]:
    """Turn what may go wrong with a start into the problem that the contract names."""
    try:
        yield
    except RecipeError as error:
        errors = [{"field": one.field, "message": one.message, "allowed": one.allowed} for one in error.problems]
        raise Problem(422, "invalid", "The recipe is not valid", detail=str(error), errors=errors) from error
    except TradingError as error:
        raise Problem(422, "invalid", "The request is not valid", detail=str(error)) from error
    except actions.GateRefused as error:
        reasons = [{"code": reason.code, "message": reason.message} for reason in error.reasons]
        raise Problem(
            409,
            "gate_refused",
            "The metadata gate refused",
            detail=str(error),
            reasons=reasons,
            paper_run_id=str(error.run.id),
        ) from error
    except actions.StartHeld as error:
        raise Problem(409, error.code, error.title, detail=str(error)) from error


def config_of(body: dict[str, Any]) -> dict[str, Any] | recipes.Recipe:
    """The body, or the recipe of the name that it gives; a caller from outside names no path."""
    if set(body) == {"config"} and isinstance(body["config"], str):
        return recipes.load_named(body["config"])
    return body


def run_of(run_id: UUID, *modes: Mode) -> Run:
    run = Run.objects.filter(pk=run_id, mode__in=modes or list(Mode)).select_related("bot_version").first()
    if run is None:
        raise Problem(404, "not_found", "No such run", detail=f"there is no run {run_id}")
    return run


@router.post("/paper/start", response={202: dict}, auth=require("trade"))
def start_paper(request: HttpRequest, recipe: Recipe) -> tuple[int, dict[str, Any]]:
    with told_problems():
        run = actions.start_paper(config_of(recipe), principal=request.principal)
    return 202, started(run)


def started(run: Run) -> dict[str, Any]:
    """A session that was started; ``warnings`` where there are any."""
    warnings = warnings_of(run)
    return {"task_id": run.task_id, "paper_run_id": str(run.id)} | ({"warnings": warnings} if warnings else {})


@router.post("/paper/stop/{task_id}", auth=require("trade"))
def stop_paper(request: HttpRequest, task_id: str) -> dict[str, Any]:
    run = queries.find_run(task_id)
    if run is None:
        raise Problem(404, "not_found", "No such run", detail=f"no run has the task id {task_id}")
    return rows.run_row(actions.stop(run, principal=request.principal))


class ResumeRequest(Schema):
    reason: str = Field("", max_length=1000, description="needed; kept with the run")


@router.post("/paper/runs/{run_id}/resume", auth=require("trade"))
def resume_paper(request: HttpRequest, run_id: UUID, body: ResumeRequest) -> dict[str, Any]:
    """Let a session go on that was interrupted, or open positions again where its risk rules have switched it off or
    let it only reduce."""
    run = run_of(run_id, Mode.PAPER, Mode.LIVE)
    second_factor.demand(request)
    try:
        return rows.run_row(actions.resume(run, body.reason, principal=request.principal))
    except InvalidValue as error:
        raise invalid([{"field": "reason", "message": str(error)}]) from error
    except actions.NotTrading as error:
        raise Problem(409, "not_trading", "The run cannot go on", detail=str(error)) from error
    except actions.StartHeld as error:
        raise Problem(409, error.code, error.title, detail=str(error)) from error


@router.post("/paper/stop-all", auth=require("halt"))
def stop_all(request: HttpRequest) -> dict[str, Any]:
    return {"items": [rows.run_row(run) for run in actions.stop_all(principal=request.principal)], "next": None}


@router.get("/paper/runs", auth=require("read"))
def list_runs(
    request: HttpRequest, status: str | None = None, cursor: Cursor = None, limit: Limit = 100
) -> dict[str, Any]:
    runs = Run.objects.exclude(mode=Mode.BACKTEST).select_related("bot_version")
    if status:
        runs = runs.filter(status__in=status.split(","))
    return page_of(runs, ["-created_at", "-id"], cursor, limit, rows.run_row)


@router.get("/paper/runs/{run_id}", auth=require("read"))
def show_run(request: HttpRequest, run_id: UUID) -> dict[str, Any]:
    run = run_of(run_id)
    return {**rows.run_detail(run), "positions": [rows.position_row(one) for one in run.positions.exclude(qty=0)]}


@router.get("/paper/runs/{run_id}/orders", auth=require("read"))
def list_orders(request: HttpRequest, run_id: UUID, cursor: Cursor = None, limit: Limit = 100) -> dict[str, Any]:
    return page_of(Order.objects.filter(run=run_of(run_id)), ["-created_at", "-id"], cursor, limit, rows.order_row)


@router.get("/paper/runs/{run_id}/fills", auth=require("read"))
def list_fills(request: HttpRequest, run_id: UUID, cursor: Cursor = None, limit: Limit = 100) -> dict[str, Any]:
    return page_of(Fill.objects.filter(run=run_of(run_id)), ["-filled_at", "-id"], cursor, limit, rows.fill_row)


@router.get("/paper/runs/{run_id}/equity", auth=require("read"))
def list_equity(request: HttpRequest, run_id: UUID, cursor: Cursor = None, limit: Limit = 1000) -> dict[str, Any]:
    return page_of(EquityPoint.objects.filter(run=run_of(run_id)), ["time"], cursor, limit, rows.equity_row)


@router.get("/paper/runs/{run_id}/frames", auth=require("read"))
def list_frames(
    request: HttpRequest, run_id: UUID, after: Annotated[int, Query(ge=0)] = 0, limit: Limit = 1000
) -> dict[str, Any]:
    found = frames.read(run_of(run_id).id, after=after, limit=limit)
    return {"items": found, "next": found[-1]["seq"] if len(found) == limit else None}


def page_of(rows: Any, keys: list[str], cursor: str | None, limit: int, shape: Any) -> dict[str, Any]:
    with told_problems():
        return page(rows, keys, cursor, limit, shape)


@router.get("/portfolio", auth=require("read"))
def portfolio(request: HttpRequest) -> dict[str, Any]:
    return queries.portfolio_overview()


@router.post("/backtests", response={202: dict}, auth=require("trade"))
def start_backtest(request: HttpRequest, recipe: Recipe) -> tuple[int, dict[str, Any]]:
    with told_problems():
        run = actions.start_backtest(config_of(recipe), principal=request.principal)
    return 202, {"run_id": str(run.id), "task_id": run.task_id}


@router.get("/backtests", auth=require("read"))
def list_backtests(
    request: HttpRequest, status: str | None = None, cursor: Cursor = None, limit: Limit = 100
) -> dict[str, Any]:
    runs = Run.objects.filter(mode=Mode.BACKTEST).select_related("bot_version")
    if status:
        runs = runs.filter(status__in=status.split(","))
    return page_of(runs, ["-created_at", "-id"], cursor, limit, rows.run_row)


@router.post("/backtests/{run_id}/cancel", auth=require("trade"))
def cancel_backtest(request: HttpRequest, run_id: UUID) -> dict[str, Any]:
    """One in the queue is stopped at once, one under way within a second, with what it has so far; an ended one stays
    as it is."""
    return rows.run_row(actions.stop(run_of(run_id, Mode.BACKTEST), principal=request.principal))


@router.get("/backtests/{run_id}", auth=require("read"))
def show_backtest(request: HttpRequest, run_id: UUID) -> dict[str, Any]:
    return rows.run_detail(run_of(run_id, Mode.BACKTEST))
