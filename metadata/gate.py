"""The metadata gate: what must be known about a model and its pipeline before a run starts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from metadata import aspects
from metadata.urn import InvalidUrn, Urn

FIT_TO_TRADE = ("Production", "Staging")


@dataclass(frozen=True)
class Reason:
    """Why a run may not start; `urn` is the text in question, None where there is none."""

    code: str
    message: str
    urn: str | None = None


@dataclass(frozen=True)
class GateDecision:
    allowed: bool
    reasons: list[Reason]


def check(
    model_urn: str | None,
    pipeline_urn: str | None,
    bot_sharpes: Sequence[float | None] | None = None,
) -> GateDecision:
    """Whether a paper or live run may start, with every reason why not.

    `bot_sharpes` are the Sharpe ratios of the finished backtests of the bot's version; None for a run without a bot.
    """
    reasons = list(chain(_model(model_urn), _about("pipeline", pipeline_urn), _bot(bot_sharpes)))
    return GateDecision(not reasons, reasons)


def _model(urn: str | None) -> Iterator[Reason]:
    doubts = list(_about("model", urn))
    yield from doubts
    if doubts or urn is None:
        return
    status = aspects.status_of(urn)
    if status not in FIT_TO_TRADE:
        wanted = " or ".join(FIT_TO_TRADE)
        yield Reason("model_status", f"the model {urn} has the status {status or 'none'}; {wanted} may trade", urn)


def _about(what: str, urn: str | None) -> Iterator[Reason]:
    """Is it there, is it well formed, is anything known about it?"""
    if not urn:
        yield Reason(f"{what}_urn_missing", f"{what}_urn is missing: name the {what} that this run uses")
        return
    try:
        Urn.parse(urn)
    except InvalidUrn as error:
        yield Reason(f"{what}_urn_malformed", f"{what}_urn: {error}", urn)
        return
    if not aspects.latest(urn):
        yield Reason(f"{what}_unknown", f"nothing is known about the {what} {urn}: write an aspect of it first", urn)


def counts_as_tested(sharpes: Sequence[float | None]) -> bool:
    """Whether one of these Sharpe ratios is there and other than zero."""
    return any(sharpe and math.isfinite(sharpe) for sharpe in sharpes)


def _bot(sharpes: Sequence[float | None] | None) -> Iterator[Reason]:
    if sharpes is not None and not counts_as_tested(sharpes):
        yield Reason(
            "bot_backtest_missing",
            "this version of the bot has no finished backtest with a Sharpe ratio other than zero: run one first",
        )
