"""What may start at all: the kill switch, halts and the metadata gate stand before a run's first row."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from metadata import gate
from risk import halting, kill_switch, promotion
from risk.halts import Place, Scope
from trading import ledger, recipes
from trading.engine.bars import to_nanos
from trading.engine.records import Kind, Record
from trading.models import Bot, BotVersion, Mode, Run, RunStatus
from trading.recipes import Recipe


@dataclass(frozen=True)
class Facts:
    """What a run is, apart from its recipe."""

    mode: Mode
    venue: str
    synthetic: bool
    live_paced: bool
    starting_cash: Decimal
    #: Whose money it is, where others trade with it too.
    account: str = ""


class StartHeld(Exception):
    """Nothing starts here for now; ``code`` is for programs, ``title`` for people."""

    code: str
    title: str


class KillEngaged(StartHeld):
    """Nothing starts while the kill switch is engaged."""

    code = "kill_engaged"
    title = "The kill switch is engaged"


class Halted(StartHeld):
    """Nothing starts in an account that is halted, or of a bot that is."""

    code = "halted"
    title = "It is halted"


class GateRefused(Exception):
    """The metadata gate refused; ``run`` is the row kept as ``blocked``, ``reasons`` are all of them."""

    def __init__(self, run: Run, reasons: Sequence[gate.Reason]) -> None:
        super().__init__("; ".join(reason.message for reason in reasons))
        self.run = run
        self.reasons = list(reasons)


def admit(
    recipe: Recipe,
    facts: Facts,
    *,
    created_by: str,
    bot: Bot | None = None,
    bot_version: BotVersion | None = None,
) -> Run:
    """A queued run for this recipe. Raises `KillEngaged` or `Halted` (no row) or `GateRefused` (a ``blocked`` row with
    every reason). A backtest passes none of them: it can send no order. A halted symbol holds no start back: its orders
    are denied."""
    if facts.mode is Mode.BACKTEST:
        return create_run(recipe, facts, created_by=created_by, bot=bot, bot_version=bot_version)
    check_held({Scope.ACCOUNT: facts.account, Scope.BOT: "" if bot is None else bot.name})
    reasons = objections(recipe, facts, bot, bot_version)
    run = create_run(recipe, facts, created_by=created_by, bot=bot, bot_version=bot_version)
    if reasons:
        _block(run, reasons)
        raise GateRefused(run, reasons)
    return run


def objections(
    recipe: Recipe, facts: Facts, bot: Bot | None = None, version: BotVersion | None = None
) -> list[gate.Reason]:
    """Why the metadata gate would refuse a session of this recipe; empty where it would let it start."""
    options = recipe.session
    decision = gate.check(options.model_urn, options.pipeline_urn, bot_sharpes=sharpes(bot, version))
    return [*_real_money(facts), *decision.reasons]


def check_held(place: Place) -> None:
    """Raise `KillEngaged` or `Halted` where no session may begin, or go on, in this place."""
    if kill_switch.is_engaged():
        raise KillEngaged("the kill switch is engaged; release it before anything starts")
    halt = halting.as_halts(halting.standing()).ending(place)
    if halt is not None:
        raise Halted(f"{halt.sentence}; release that halt before anything starts in it")


def warnings_of(run: Run) -> list[str]:
    """What a person should know who has started it: the symbols in which it may open nothing."""
    halts = halting.as_halts(halting.standing())
    found = {symbol: halts.of_symbol(symbol) for symbol in run.recipe.get("universe", ())}
    return [f"orders in {symbol} are denied: {halt.sentence}" for symbol, halt in found.items() if halt is not None]


def place_of(run: Run) -> Place:
    """Where a run belongs, for scoped halts."""
    place = {Scope.ACCOUNT: run.account, Scope.RUN: str(run.pk)}
    return place if run.bot is None else {**place, Scope.BOT: run.bot.name}


def _real_money(facts: Facts) -> list[gate.Reason]:
    if facts.mode is not Mode.LIVE or promotion.is_promoted(facts.account):
        return []
    message = f"{facts.account} is not promoted to live: set paper to true, or promote the account first"
    return [gate.Reason("live_not_promoted", message)]


def sharpes(bot: Bot | None, version: BotVersion | None) -> list[float | None] | None:
    """The Sharpe ratios of the finished backtests of a bot's version; None for a run without a bot.

    Those of other versions say nothing of this one, so that a change to a bot has to be tested before it trades.
    """
    if bot is None:
        return None
    finished = bot.runs.filter(mode=Mode.BACKTEST, status=RunStatus.COMPLETED)
    if version is not None:
        # A version that goes back to an earlier recipe is tested as that was.
        finished = finished.filter(bot_version__sha256=version.sha256)
    return [metrics.get("sharpe") for metrics in finished.values_list("metrics", flat=True)]


def create_run(recipe: Recipe, facts: Facts, *, created_by: str, **links: Any) -> Run:
    """The row of a new run; the recipe is stored without its secrets."""
    run_id = uuid.uuid4()
    return Run.objects.create(
        id=run_id,
        task_id=str(uuid.uuid4()),
        name=recipe.name,
        mode=facts.mode,
        venue=facts.venue,
        account=facts.account or f"{facts.venue}-{str(run_id)[:8]}",
        synthetic=facts.synthetic,
        live_paced=facts.live_paced,
        recipe=recipes.redacted(recipe),
        starting_cash=facts.starting_cash,
        model_urn=recipe.session.model_urn or "",
        pipeline_urn=recipe.session.pipeline_urn or "",
        created_by=created_by,
        **links,
    )


def _block(run: Run, reasons: Sequence[gate.Reason]) -> None:
    now = datetime.now(UTC)
    sentence = "; ".join(reason.message for reason in reasons)
    data = {
        "status": RunStatus.BLOCKED.value,
        "reason": sentence,
        "reasons": [{"code": reason.code, "message": reason.message} for reason in reasons],
        "ended_at": now.isoformat(),
    }
    ledger.append_now(run.id, [Record(Kind.RUN_STATUS, to_nanos(now), reason=sentence, data=data)])
    run.refresh_from_db()
