"""The JSON API of sweeps."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from access.auth import require
from access.problems import Problem
from trading import recipes
from trading.api import told_problems
from trading.models import Bot, BotVersion
from trading.sweeps import actions, queries
from trading.sweeps.models import Sweep

router = Router(tags=["sweeps"])

Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(description="the `next` of the page before")]


class SweepIn(Schema):
    """What to sweep, and how: ``sweep`` holds parameters, search, where, objective and walk_forward."""

    recipe: dict[str, Any] | None = Field(None, description="a recipe")
    config: str | None = Field(None, description="or the name of one in configs/paper")
    bot_id: UUID | None = Field(None, description="or a bot, whose newest version is taken")
    sweep: dict[str, Any] = Field(
        description="parameters (values, or min, max and step, by their names below strategy.kwargs, or sizing.NAME),"
        " search (grid or random, with trials and seed), where, objective and walk_forward (folds, train, anchored)",
        examples=[
            {
                "parameters": {"fast": [5, 10, 20], "slow": {"min": 30, "max": 100, "step": 10}},
                "where": ["fast < slow"],
                "objective": "sharpe",
                "walk_forward": {"folds": 5},
            }
        ],
    )


def _sweep(sweep_id: UUID) -> Sweep:
    found = queries.find(sweep_id)
    if found is None:
        raise Problem(404, "not_found", "No such sweep", detail=f"there is no sweep {sweep_id}")
    return found


def _of(body: SweepIn) -> tuple[Any, dict[str, Any]]:
    """The recipe that the body names, and the bot that it is of."""
    if (body.recipe is not None) + (body.config is not None) + (body.bot_id is not None) != 1:
        raise Problem(422, "invalid", "Name one recipe", detail="give exactly one of recipe, config and bot_id")
    if body.config is not None:
        return recipes.load_named(body.config), {}
    if body.recipe is not None:
        return body.recipe, {}
    bot = Bot.objects.filter(pk=body.bot_id).first()
    version: BotVersion | None = None if bot is None else bot.versions.order_by("-number").first()
    if version is None:
        raise Problem(404, "not_found", "No such bot", detail=f"there is no bot {body.bot_id} with a recipe")
    return version.recipe, {"bot": bot, "bot_version": version}


@router.post("/sweeps", response={202: dict}, auth=require("trade"))
def start_sweep(request: HttpRequest, body: SweepIn) -> tuple[int, dict[str, Any]]:
    with told_problems():
        recipe, links = _of(body)
        sweep = actions.start_sweep(recipe, body.sweep, principal=request.principal, **links)  # type: ignore[attr-defined]
    return 202, queries.sweep_row(sweep)


@router.get("/sweeps", auth=require("read"))
def list_sweeps(request: HttpRequest, cursor: Cursor = None, limit: Limit = 100) -> dict[str, Any]:
    with told_problems():
        return queries.sweeps(cursor, limit)


@router.get("/sweeps/{sweep_id}", auth=require("read"))
def show_sweep(request: HttpRequest, sweep_id: UUID) -> dict[str, Any]:
    return queries.sweep_detail(_sweep(sweep_id))


@router.get("/sweeps/{sweep_id}/trials", auth=require("read"))
def list_trials(
    request: HttpRequest,
    sweep_id: UUID,
    sort: Annotated[
        str, Query(description="number, score, sharpe, total_return or max_drawdown; - descends")
    ] = "number",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    with told_problems():
        return queries.trials(_sweep(sweep_id), sort, cursor, limit)


@router.post("/sweeps/{sweep_id}/cancel", auth=require("trade"))
def cancel_sweep(request: HttpRequest, sweep_id: UUID) -> dict[str, Any]:
    return queries.sweep_row(actions.cancel_sweep(_sweep(sweep_id), principal=request.principal))  # type: ignore[attr-defined]


@router.post("/sweeps/{sweep_id}/trials/{number}/backtest", response={202: dict}, auth=require("trade"))
def backtest_trial(request: HttpRequest, sweep_id: UUID, number: int) -> tuple[int, dict[str, Any]]:
    trial = queries.trial(sweep_id, number)
    if trial is None:
        raise Problem(404, "not_found", "No such trial", detail=f"there is no trial {number} of a sweep {sweep_id}")
    with told_problems():
        run = actions.promote_trial(trial, principal=request.principal)  # type: ignore[attr-defined]
    return 202, {"run_id": str(run.id), "task_id": run.task_id}
