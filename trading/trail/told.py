"""What the ledger tells of the way of an order, and of how its run stood."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from trading.engine.records import Kind
from trading.ledger.events import decode
from trading.models import LedgerEvent, Order, Run
from trading.rows import moment
from trading.trail.steps import Stage, Step

#: Facts about the whole run that decide what becomes of its orders.
_OF_THE_RUN: Final = (
    Kind.RUN_STATUS,
    Kind.RISK_HALTED,
    Kind.RISK_REDUCING,
    Kind.RISK_RESUMED,
    Kind.KILL_ENGAGED,
    Kind.HALTED,
    Kind.FLATTENING,
)
_OF_THE_RUN_WORDS: Final = {
    Kind.RISK_REDUCING: "it only reduces",
    Kind.RISK_RESUMED: "it trades again",
    Kind.FLATTENING: "it closes what it holds",
}
_WORDS: Final = {
    Kind.ORDER_ACCEPTED: "the venue took it",
    Kind.ORDER_REJECTED: "the venue refused it",
    Kind.ORDER_CANCELLED: "it was cancelled",
    Kind.ORDER_PENDING_CANCEL: "a cancel left",
    Kind.ORDER_CANCEL_REFUSED: "a cancel was refused",
    Kind.ORDER_EXPIRED: "it expired",
    Kind.ORDER_UNKNOWN: "the venue gave no answer that could be read",
    Kind.ORDER_REPLACED: "another order took its place",
    Kind.ORDER_EXTERNAL: "the venue brought it",
}


def events_of(run: Run, order: Order) -> list[tuple[LedgerEvent, dict[str, Any]]]:
    """The events about one order with their payloads, oldest first."""
    found = LedgerEvent.objects.filter(run=run, seq__gte=order.seq, payload__order__id=order.id).order_by("seq")
    return [(event, _payload(event)) for event in found]


def _payload(event: LedgerEvent) -> dict[str, Any]:
    payload = event.payload
    return decode(payload) if isinstance(payload, str | bytes) else payload


def refusal(order: Order, events: list[tuple[LedgerEvent, dict[str, Any]]], withheld: bool) -> Step | None:
    """The denial of an order, by the gate where ``withheld``, by the checks otherwise; None where there is none."""
    for event, payload in events:
        data = payload.get("data") or {}
        if event.kind == Kind.ORDER_DENIED and bool(data.get("withheld")) is withheld:
            return Step(
                stage=Stage.GATE if withheld else Stage.CHECK,
                passed=False,
                code=data.get("code", ""),
                message=payload.get("reason", order.reason).removeprefix(f"{data.get('code')}: "),
                figure=data.get("figure"),
                limit=data.get("limit"),
                time=moment(event.recorded_at),
            )
    return None


def after_the_checks(order: Order, events: list[tuple[LedgerEvent, dict[str, Any]]]) -> Iterator[Step]:
    """The gate and the venue."""
    held_back = refusal(order, events, withheld=True)
    if held_back is not None:
        yield held_back
        return
    for event, payload in events:
        if event.kind == Kind.ORDER_SUBMITTED:
            left = moment(event.recorded_at)
            yield Step(
                stage=Stage.GATE, passed=True, message="the order gate was open; it left for the venue", time=left
            )
        elif event.kind == Kind.ORDER_FILLED:
            yield _fill(event, payload["fill"])
        elif event.kind in _WORDS:
            reason = payload.get("reason")
            message = _WORDS[Kind(event.kind)] + (f": {reason}" if reason else "")
            refused = event.kind == Kind.ORDER_REJECTED
            yield Step(
                stage=Stage.VENUE, passed=False if refused else None, message=message, time=moment(event.event_time)
            )


def _fill(event: LedgerEvent, fill: dict[str, Any]) -> Step:
    message = f"filled {fill['qty']} at {fill['price']}, fee {fill['fee']}"
    return Step(stage=Stage.VENUE, passed=True, message=message, time=moment(event.event_time))


def state_at(run: Run, until: datetime) -> list[Step]:
    """How the run stood at an event time: the last facts about the whole of it up to then, oldest first."""
    found = LedgerEvent.objects.filter(run=run, kind__in=[kind.value for kind in _OF_THE_RUN], event_time__lte=until)
    return [_state(event) for event in reversed(found.order_by("-seq")[:5])]


def _state(event: LedgerEvent) -> Step:
    payload = _payload(event)
    data, reason = payload.get("data") or {}, payload.get("reason", "")
    if event.kind == Kind.RUN_STATUS:
        message = f"{data.get('status')}" + (f": {reason}" if reason else "")
        return Step(stage=Stage.RUN, message=message, time=moment(event.recorded_at))
    if event.kind == Kind.KILL_ENGAGED:
        return Step(stage=Stage.RUN, passed=False, code="kill_engaged", message="the kill switch was engaged")
    code = data.get("code", "")
    return Step(
        stage=Stage.RUN,
        passed=None if event.kind == Kind.RISK_RESUMED else False,
        code=code,
        message=f"{_OF_THE_RUN_WORDS.get(event.kind, code)}: {reason}",
        figure=data.get("figure"),
        limit=data.get("limit"),
        time=moment(event.recorded_at),
    )
