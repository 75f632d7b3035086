"""The verbs of the inbox: adopt, ignore and flatten a difference, and look at an account now."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django.db import connection, transaction
from django.utils import timezone

from access import audit
from access.principals import Principal
from brokers.threaded import ThreadedBrokerage
from risk import places
from risk.gate import OrderGate, Verdict
from risk.kill_switch import said
from trading.engine.bars import to_nanos
from trading.engine.calendars import AROUND_THE_CLOCK
from trading.engine.errors import Fatal, Rejected, Transient, VenueError
from trading.engine.instruments import instrument_of
from trading.engine.orders import OrderRecord, OrderStatus, OrderType, Side, TimeInForce
from trading.engine.records import plain
from trading.inbox.queries import NoSuchDifference
from trading.models import Difference, OutsideOrder
from trading.reconciling import book
from trading.reconciling.compare import Found
from trading.reconciling.looking import Looks
from trading.tickers import ticker_of
from trading.venues.queries import place_of

log = logging.getLogger(__name__)

State = Difference.State
#: How long an order that a person sends from here is followed.
FOLLOW_SECONDS: Final = 5.0


class CannotSolve(Exception):
    """The verb does not fit this difference, or not now; the message says why and what does. Nothing was changed."""


def adopt(difference_id: int, reason: str, principal: Principal) -> Difference:
    """Take what the venue says for right: what it has more or less belongs to no run, by a correcting entry.

    Raises `risk.kill_switch.ReasonMissing`, `trading.inbox.queries.NoSuchDifference` and `CannotSolve`.
    """
    return _solved(difference_id, reason, principal, State.ADOPTED, _take_over)


def ignore(difference_id: int, reason: str, principal: Principal) -> Difference:
    """Accept the difference as known, up to its present amount; beyond that it comes back. Raises as `adopt` does."""
    return _solved(difference_id, reason, principal, State.IGNORED, lambda one, reason, by: None)


def _solved(
    difference_id: int,
    reason: str,
    principal: Principal,
    state: State,
    write: Callable[[Difference, str, str], None],
) -> Difference:
    reason = said(reason)
    with transaction.atomic():
        one = _standing(difference_id)
        if state is State.IGNORED and one.state == State.IGNORED:
            raise CannotSolve(f"difference {difference_id} is ignored already: {one.reason}")
        write(one, reason, principal.name)
        _close(one, state, reason, principal)
    return one


def _standing(difference_id: int) -> Difference:
    """A difference that waits for a person or is ignored, locked, with its account."""
    found = Difference.objects.filter(pk=difference_id).first()
    if found is None:
        raise NoSuchDifference(difference_id)
    book.lock(connection.connection, found.account)
    one = Difference.objects.select_for_update().get(pk=difference_id)
    if one.state not in (State.OPEN, State.IGNORED):
        raise CannotSolve(f"difference {difference_id} is {one.state} already")
    return one


def _close(one: Difference, state: State, reason: str, principal: Principal) -> None:
    one.state, one.reason, one.by, one.solved_at = state, reason, principal.name, timezone.now()
    one.save(update_fields=["state", "reason", "by", "solved_at"])
    verb = {State.ADOPTED: "adopt", State.IGNORED: "ignore", State.FLATTENED: "flatten"}[state]
    told = {"account": one.account, "kind": one.kind, "subject": one.subject, "amount": plain(one.amount)}
    audit.record(principal, f"reconciliation.{verb}", f"difference:{one.pk}", reason=reason, **told)


def _take_over(one: Difference, reason: str, by: str) -> None:
    database = connection.connection
    if one.kind == "position":
        book.entry(database, one.account, one.symbol, qty=one.amount, by=by, reason=reason, difference=one.pk)
    elif one.kind == "cash":
        book.entry(database, one.account, "", cash=one.amount, by=by, reason=reason, difference=one.pk)
    elif one.ledger["says"] == "the ledger has no such order":
        _adopt_order(one, reason, by)
    else:
        raise CannotSolve("the ledger knows this order and has it as over: flatten cancels it at the venue")


def _adopt_order(one: Difference, reason: str, by: str) -> None:
    """What the venue shows of it from here on is written as of an order of others; its units so far come as a
    difference of the position, where they are one."""
    told = one.venue
    OutsideOrder.objects.create(
        account=one.account,
        name=one.subject,
        venue_order_id=told["venue_order_id"],
        symbol=one.symbol,
        ticker=one.ticker,
        side=told["side"],
        type=told["type"],
        qty=told["qty"],
        limit_price=told["limit_price"] or None,
        status=OrderStatus.ACCEPTED.value,
        by=by,
        reason=reason,
    )


def flatten(difference_id: int, reason: str, principal: Principal) -> Difference:
    """Rid the venue's account of the difference: an order is cancelled there; of a position, what the venue has more
    than the ledger is adopted and closed by a market order that only reduces, through the gate.

    Raises as `adopt` does; where the venue refuses the order, the difference stays open.
    """
    reason = said(reason)
    one = Difference.objects.filter(pk=difference_id).first()
    if one is None:
        raise NoSuchDifference(difference_id)
    if one.kind == "cash":
        raise CannotSolve("money cannot be flattened: adopt it, or ignore it")
    place = place_of(one.account)
    if place.missing():
        raise CannotSolve(place.hint)
    gate = OrderGate(places.gate())
    door = place.door()
    door.may_leave = lambda order: gate.verdict() is Verdict.OPEN
    try:
        door.reach()
        if one.kind == "order":
            return _withdraw(one, reason, principal, door)
        if gate.verdict() is not Verdict.OPEN:
            raise CannotSolve("the order gate is closed: nothing leaves while the kill switch is engaged or unknown")
        return _sell_off(one, reason, principal, door)
    except VenueError as error:
        raise CannotSolve(f"the venue does not do it: {error}") from error
    finally:
        door.close()


def _withdraw(one: Difference, reason: str, principal: Principal, door: ThreadedBrokerage) -> Difference:
    shown = [order for order in door.query_open_orders() if order.venue_order_id == one.venue["venue_order_id"]]
    for order in shown:
        door.withdraw(order)
    return _solved(one.pk, reason, principal, State.FLATTENED, lambda one, reason, by: None)


def _sell_off(one: Difference, reason: str, principal: Principal, door: ThreadedBrokerage) -> Difference:
    held = sum((row.qty for row in door.query_positions() if ticker_of(row.symbol) == one.ticker), Decimal(0))
    if held * one.amount <= 0 or abs(one.amount) > abs(held):
        raise CannotSolve(
            f"the venue holds {plain(held)} {one.symbol}: an order for {plain(-one.amount)} would open"
            " a position. Adopt the difference"
        )
    order = _order(one, reason)

    def intend(standing: Difference, reason: str, by: str) -> None:
        if standing.amount != one.amount:
            raise CannotSolve("the difference has changed meanwhile: look at it again")
        _take_over(standing, reason, by)
        OutsideOrder.objects.create(
            account=one.account,
            name=order.client_order_id,
            venue_order_id=order.client_order_id,
            symbol=one.symbol,
            ticker=one.ticker,
            side=order.side.value,
            type=order.type.value,
            qty=order.qty,
            status=OrderStatus.INTENDED.value,
            by=by,
            reason=reason,
        )

    solved = _solved(one.pk, reason, principal, State.FLATTENED, intend)
    order.status = OrderStatus.SUBMITTED
    try:
        door.submit_order(order)
    except (Rejected, Transient, Fatal) as refusal:
        # Whichever it is, it did not take effect.
        _take_back(solved, order, str(refusal), principal)
        raise CannotSolve(f"the venue has not taken it: {refusal}") from refusal
    except VenueError as error:
        log.warning("whether order %s has arrived is not known yet: %s", order.client_order_id, error)
    _follow(one.account, order, door, principal.name)
    return solved


def _order(one: Difference, reason: str) -> OrderRecord:
    """A market order that closes what the venue has more than the ledger."""
    name = f"{book.FLATTENS}{one.pk}-{uuid4().hex[:8]}"
    always = instrument_of(one.symbol).calendar == AROUND_THE_CLOCK
    return OrderRecord(
        id=name,
        client_order_id=name,
        symbol=one.symbol,
        side=Side.SELL if one.amount > 0 else Side.BUY,
        qty=abs(one.amount),
        type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC if always else TimeInForce.DAY,
        limit_price=None,
        created_at=to_nanos(timezone.now()),
        signal="flat",
        reason=reason,
        reduce_only=True,
        external=True,
    )


def _take_back(one: Difference, order: OrderRecord, why: str, principal: Principal) -> None:
    """The venue did not take the order: the difference is open again."""
    with transaction.atomic():
        book.lock(connection.connection, one.account)
        OutsideOrder.objects.filter(account=one.account, name=order.client_order_id).update(
            status=OrderStatus.REJECTED.value
        )
        book.take_back(connection.connection, one.account, principal.name, why)


def _follow(account: str, order: OrderRecord, door: ThreadedBrokerage, by: str) -> None:
    """Write what becomes of the order, for a while; after that the looks at the account do."""
    give_up = time.monotonic() + FOLLOW_SECONDS
    over = False
    while not over and time.monotonic() < give_up:
        try:
            shown = door.query_order(order)
        except VenueError as error:
            log.warning("order %s is not shown yet: %s", order.client_order_id, error)
            shown = None
        if shown is not None:
            with transaction.atomic():
                book.lock(connection.connection, account)
                book.record(connection.connection, account, [shown])
                book.take_back(connection.connection, account, by)
            over = shown.is_over
        if not over:
            time.sleep(0.2)


def look_now(account: str, principal: Principal) -> list[Found]:
    """Hold an account against its venue now, whether a session is under way there or not; what does not agree.

    Raises `CannotSolve`, and `trading.venues.queries.UnknownAccount`.
    """
    place = place_of(account)
    if place.missing():
        raise CannotSolve(place.hint)
    door = place.door()
    try:
        door.reach()
        found = asyncio.run(Looks(door).twice())
    except VenueError as error:
        raise CannotSolve(f"{account} could not be compared: {error}") from error
    finally:
        door.close()
    told: dict[str, Any] = {"differences": len(found)}
    audit.record(principal, "reconciliation.look", f"account:{account}", **told)
    return found
