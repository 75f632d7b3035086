"""The JSON API of bots."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Body, Router, Schema
from pydantic import Field

from access.auth import require
from access.problems import Problem
from trading import rows
from trading.actions import stop_all
from trading.api import Cursor, Limit, Recipe, config_of, started, told_problems
from trading.bots import actions, queries
from trading.models import Bot

router = Router(tags=["bots"])

Version = Annotated[int | None, Field(ge=1, description="a version of the bot; the newest where it is left out")]


class BotIn(Schema):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$", description="letters, digits, - and _")]
    recipe: dict[str, Any]


class BotBacktestIn(Schema, extra="forbid"):
    version: Version = None
    data: Annotated[str | None, Field(description="a file or folder of bars on the server, not the bot's feed")] = None


class BotPaperIn(Schema, extra="forbid"):
    version: Version = None
    starting_cash: Annotated[float | None, Field(gt=0)] = None
    duration_minutes: Annotated[float | None, Field(gt=0)] = None


def _bot(bot_id: UUID) -> Bot:
    bot = queries.find(bot_id)
    if bot is None:
        raise Problem(404, "not_found", "No such bot", detail=f"there is no bot {bot_id}")
    return bot


@router.get("/bots", auth=require("read"))
def list_bots(request: HttpRequest, cursor: Cursor = None, limit: Limit = 100) -> dict[str, Any]:
    with told_problems():
        return queries.bots(cursor, limit)


@router.post("/bots", response={201: dict}, auth=require("trade"))
def save_bot(request: HttpRequest, body: BotIn) -> tuple[int, dict[str, Any]]:
    """Keep a recipe under a name; another recipe under a name that is taken becomes its next version."""
    with told_problems():
        bot = actions.save_bot(body.name, config_of(body.recipe), principal=request.principal)
    return 201, queries.detail(bot)


@router.post("/bots/halt-all", auth=require("halt"))
def halt_bots(request: HttpRequest) -> dict[str, Any]:
    stopped = stop_all(principal=request.principal, bots_only=True)
    return {"items": [rows.run_row(run) for run in stopped], "next": None}


@router.get("/bots/{bot_id}", auth=require("read"))
def show_bot(request: HttpRequest, bot_id: UUID) -> dict[str, Any]:
    return queries.detail(_bot(bot_id))


@router.put("/bots/{bot_id}", auth=require("trade"))
def change_bot(request: HttpRequest, bot_id: UUID, recipe: Recipe) -> dict[str, Any]:
    """Give the bot another recipe, as its next version; the same recipe again changes nothing."""
    bot = _bot(bot_id)
    with told_problems():
        return queries.detail(actions.save_bot(bot.name, config_of(recipe), principal=request.principal))


@router.post("/bots/{bot_id}/paper", response={202: dict}, auth=require("trade"))
def start_bot(request: HttpRequest, bot_id: UUID, body: BotPaperIn) -> tuple[int, dict[str, Any]]:
    with told_problems():
        run = actions.start_paper(_bot(bot_id), principal=request.principal, **body.dict())
    return 202, started(run)


@router.post("/bots/{bot_id}/backtest", response={202: dict}, auth=require("trade"))
def backtest_bot(
    request: HttpRequest, bot_id: UUID, body: Annotated[BotBacktestIn | None, Body()] = None
) -> tuple[int, dict[str, Any]]:
    wanted = body or BotBacktestIn()
    with told_problems():
        run = actions.start_backtest(
            _bot(bot_id), principal=request.principal, version=wanted.version, data=wanted.data
        )
    return 202, {"run_id": str(run.id), "task_id": run.task_id}
