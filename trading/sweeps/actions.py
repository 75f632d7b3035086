"""The verbs on sweeps. Pages, the API and the command line call these and nothing deeper."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from access import audit
from access.principals import Principal
from trading import actions, recipes, runner
from trading.actions import Config
from trading.engine.errors import InvalidValue
from trading.models import Bot, BotVersion, Run
from trading.parts import assemble_simulated
from trading.recipes import parse
from trading.sweeps.hints import call_workers
from trading.sweeps.models import ACTIVE, Sweep, SweepStatus, SweepTrial
from trading.sweeps.spec import plan, read_spec, with_parameters

_BATCH = 1000


def start_sweep(
    config: Config,
    spec: Mapping[str, Any],
    *,
    principal: Principal,
    bot: Bot | None = None,
    bot_version: BotVersion | None = None,
    enqueue: bool = True,
    thorough: bool = False,
) -> Sweep:
    """Plan a sweep of a recipe and, unless the caller will work on it itself, call the workers.

    ``thorough`` is that of `trading.actions.start_backtest`. Raises `trading.recipes.RecipeError` or
    `trading.engine.errors.TradingError`.
    """
    recipe, wanted = runner.read_recipe(config), read_spec(spec)
    planned = plan(recipe, wanted)
    assemble_simulated(recipe).check(thorough)
    with transaction.atomic():
        sweep = Sweep.objects.create(
            task_id=str(uuid.uuid4()),
            name=recipe.name,
            bot=bot,
            bot_version=bot_version,
            recipe=recipes.redacted(recipe),
            spec=wanted.model_dump(mode="json"),
            trial_count=len(planned.trials),
            skipped=dict(planned.skipped),
            created_by=principal.name,
        )
        trials = (SweepTrial(sweep=sweep, number=at, params=one) for at, one in enumerate(planned.trials, start=1))
        SweepTrial.objects.bulk_create(trials, batch_size=_BATCH)
        audit.record(principal, "sweep.start", f"sweep:{sweep.id}", name=sweep.name, trials=sweep.trial_count)
        if enqueue:
            transaction.on_commit(lambda: call_workers(sweep))
    return sweep


@transaction.atomic
def cancel_sweep(sweep: Sweep, *, principal: Principal) -> Sweep:
    """End a sweep at once; its workers notice within a second. One that has ended stays as it is."""
    ended = Sweep.objects.filter(pk=sweep.pk, status__in=ACTIVE).update(
        status=SweepStatus.CANCELLED, reason=f"cancelled by {principal.name}", ended_at=Now()
    )
    if ended:
        audit.record(principal, "sweep.cancel", f"sweep:{sweep.id}", name=sweep.name)
    sweep.refresh_from_db()
    return sweep


def promote_trial(trial: SweepTrial, *, principal: Principal, enqueue: bool = True) -> Run:
    """Start a full backtest with a trial's parameters: the same figures, with orders, fills and a ledger.

    It is no run of the sweep's bot, whose own recipe has other parameters, and opens no gate for it. Raises
    `InvalidValue` for a trial that failed.
    """
    if trial.error:
        raise InvalidValue(f"trial {trial.number} failed, and so would its backtest: {trial.error}")
    recipe = with_parameters(parse(trial.sweep.recipe), trial.params)
    return actions.start_backtest(recipe, principal=principal, enqueue=enqueue)
