"""The verbs. Pages, the API and the command line call these and nothing deeper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from access import audit
from access.principals import Principal
from trading import dispatch, ledger, releases, runner
from trading.admission import GateRefused, StartHeld, admit, check_held, place_of
from trading.endings import RESTORED
from trading.engine.bars import to_nanos
from trading.engine.errors import InvalidValue, TradingError
from trading.engine.records import Kind, Record
from trading.lease import announce
from trading.models import Bot, BotVersion, Mode, Run, RunStatus
from trading.parts import assemble, assemble_simulated
from trading.recipes import Problem, Recipe, RecipeError, secrets_of

__all__ = [
    "ENDED",
    "GateRefused",
    "NotTrading",
    "StartHeld",
    "resume",
    "start_backtest",
    "start_demo",
    "start_paper",
    "stop",
    "stop_all",
]

#: The recipe in configs/paper that makes a first look worth while.
DEMO = "demo"

Config = Recipe | Mapping[str, Any] | str | Path

ENDED = [
    RunStatus.COMPLETED,
    RunStatus.STOPPED,
    RunStatus.KILLED,
    RunStatus.HALTED,
    RunStatus.FAILED,
    RunStatus.BLOCKED,
    RunStatus.INTERRUPTED,
]


class NotTrading(TradingError):
    """The run is in no state in which it could go on, or be let trade again."""


def start_paper(
    config: Config,
    *,
    principal: Principal,
    bot: Bot | None = None,
    bot_version: BotVersion | None = None,
    enqueue: bool = True,
    **secrets: Any,
) -> Run:
    """Admit a paper or live run and, unless the caller will run it itself, hand it to the workers.

    The feed's data is read and checked first, so that bad data starts nothing. Raises `trading.recipes.RecipeError`,
    `trading.feeds.base.FeedError`, `GateRefused` (the blocked run is kept) or `StartHeld`.
    """
    parts = assemble(runner.read_recipe(config), **secrets)
    if enqueue:
        _check_portable(parts.recipe)
    parts.prepare()
    return _start(parts.recipe, parts.facts(), "run.start", principal, bot, bot_version, enqueue)


@transaction.atomic
def start_demo(*, principal: Principal) -> Run | None:
    """Start the demo recipe, one at a time: None where one is under way. Raises as `start_paper` does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('alphaswarm demo'))")
    recipe = runner.read_recipe(DEMO)
    if Run.objects.filter(name=recipe.name).exclude(status__in=ENDED).exists():
        return None
    return start_paper(recipe, principal=principal)


def _check_portable(recipe: Recipe) -> None:
    """Raise `RecipeError` for secrets, which are kept nowhere and so reach no worker."""
    kept_out = "a secret is not kept, so a worker cannot have it from the recipe: set its ALPHASWARM_ variable instead"
    found = [Problem(name, kept_out) for name in secrets_of(recipe)]
    if found:
        raise RecipeError(found)


def start_backtest(
    config: Config,
    *,
    principal: Principal,
    bot: Bot | None = None,
    bot_version: BotVersion | None = None,
    enqueue: bool = True,
    thorough: bool = False,
) -> Run:
    """Queue a backtest of a recipe; it passes no gate, for it can send no order.

    ``thorough`` reads all of its data first, so that bad data starts nothing; otherwise only what takes a moment is
    read, for somebody waits, and the rest as the run begins: what is wrong then ends it as failed, with file, line and
    reason. Raises `trading.recipes.RecipeError` or `trading.engine.errors.TradingError`.
    """
    parts = assemble_simulated(runner.read_recipe(config))
    parts.check(thorough)
    facts = replace(parts.facts(), mode=Mode.BACKTEST)
    return _start(parts.recipe, facts, "backtest.start", principal, bot, bot_version, enqueue)


def _start(
    recipe: Recipe,
    facts: Any,
    verb: str,
    principal: Principal,
    bot: Bot | None,
    bot_version: BotVersion | None,
    enqueue: bool,
) -> Run:
    if not enqueue:
        # Who is to run it itself must be able to, or a worker would, once nobody else has.
        releases.check()
    # Not one transaction around both: a refused run must stay as a row when GateRefused goes up.
    run = admit(recipe, facts, created_by=principal.name, bot=bot, bot_version=bot_version)
    audit.record(principal, verb, f"run:{run.id}", name=run.name)
    if enqueue:
        transaction.on_commit(lambda: dispatch.send(run))
    return run


@transaction.atomic
def stop(run: Run, *, principal: Principal) -> Run:
    """Ask a run to drain. One that has not begun is stopped on the spot; an ended one stays as it is.

    A session that waits for its next owner is ended by that, who learns first what became of its orders.
    """
    run = Run.objects.select_for_update().get(pk=run.pk)
    if run.status in ENDED:
        return run
    Run.objects.filter(pk=run.pk).update(stop_requested_at=Now())
    announce(run.pk)
    audit.record(principal, "run.stop", f"run:{run.id}", name=run.name)
    if run.status == RunStatus.QUEUED and (run.started_at is None or run.mode == Mode.BACKTEST):
        now = datetime.now(UTC)
        reason = "stopped before it began"
        data = {"status": RunStatus.STOPPED.value, "reason": reason, "ended_at": now.isoformat()}
        ledger.append_now(run.id, [Record(Kind.RUN_STATUS, to_nanos(now), reason=reason, data=data)])
    run.refresh_from_db()
    return run


def stop_all(*, principal: Principal, bots_only: bool = False) -> list[Run]:
    """Ask every paper and live run that has not ended, or those of bots alone, to drain."""
    active = Run.objects.exclude(status__in=ENDED).exclude(mode=Mode.BACKTEST).order_by("created_at")
    if bots_only:
        active = active.filter(bot__isnull=False)
    return [stop(run, principal=principal) for run in active]


@transaction.atomic
def resume(run: Run, reason: str, *, principal: Principal) -> Run:
    """Let a session go on: one that was interrupted, by recovery under a new owner; one that runs, where its own risk
    rules hold it back, being switched off after too many repeats or only reducing.

    Raises `InvalidValue` without a reason, `NotTrading` for a run in any other state or one of a restored database, and
    `StartHeld`.
    """
    reason = reason.strip()
    if not reason:
        raise InvalidValue("say why the run may trade again: the reason is kept with it")
    run = Run.objects.select_for_update().get(pk=run.pk)
    resumable = (RunStatus.RUNNING, RunStatus.REDUCING, RunStatus.INTERRUPTED)
    if run.mode == Mode.BACKTEST or run.status not in resumable:
        what = "only a session that is running or was interrupted can be resumed"
        raise NotTrading(f"the run is a {run.mode} run and {run.status}: {what}")
    if run.status == RunStatus.INTERRUPTED:
        if run.reason.startswith(RESTORED):
            # Its next orders would bear names that the venue may know since.
            raise NotTrading(f"the run was {run.reason}, so what it did since is not known here: start a new one")
        _queue_again(run, reason, principal)
    else:
        Run.objects.filter(pk=run.pk).update(resumes=F("resumes") + 1, resume_reason=reason)
        announce(run.pk)
    audit.record(principal, "run.resume", f"run:{run.id}", name=run.name, status=run.status, reason=reason)
    run.refresh_from_db()
    return run


def _queue_again(run: Run, reason: str, principal: Principal) -> None:
    check_held(place_of(run))
    why = f"resumes at the word of {principal.name}: {reason}"
    data = {"status": RunStatus.QUEUED.value, "reason": why}
    ledger.append_now(run.id, [Record(Kind.RUN_STATUS, to_nanos(datetime.now(UTC)), reason=why, data=data)])
    transaction.on_commit(lambda: dispatch.send(run))
