"""Executions and their commissions, which come in messages of their own, and what the venue corrects afterwards."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from brokers.ibkr.mapping import figure
from trading.engine.bars import to_nanos
from trading.engine.updates import CashUpdate, OrderUpdate, UpdateKind, VenueUpdate

log = logging.getLogger(__name__)

#: How long an execution waits for its commission; one that comes later is told as a fee of its own.
COMMISSION_SECONDS: Final = 2.0


def execution_of(key: str) -> str:
    """What an execution and its corrections have in common: their ids differ after the last dot."""
    return key.rpartition(".")[0] or key


class Executions:
    """Tells each execution once, by its id, with its commission. To be used in the event loop alone.

    A corrected one comes again under the next id. Its price is put right in money, and more units are a fill of their
    own; fewer can be undone by nobody here, and show where positions are held against the venue's.
    """

    def __init__(self, tell: Callable[[Sequence[VenueUpdate]], None], wait: float = COMMISSION_SECONDS) -> None:
        self._tell = tell
        self._wait = wait
        self._waiting: dict[str, tuple[Any, str]] = {}
        self._told: dict[str, Decimal | None] = {}
        self._latest: dict[str, Any] = {}
        self._recalled: set[str] = set()

    def know(self, execution_ids: Iterable[str]) -> None:
        """These were told before, with their commissions."""
        keys = list(execution_ids)
        self._told.update(dict.fromkeys(keys, Decimal(0)))
        self._recalled.update(map(execution_of, keys))

    def execution(self, fill: Any, client_order_id: str) -> None:
        key = fill.execution.execId
        if key in self._told or key in self._waiting:
            return
        root = execution_of(key)
        before, self._latest[root] = self._latest.get(root), fill
        if before is not None:
            self._correct(before, fill, client_order_id)
            return
        if root in self._recalled:
            self._told[key] = Decimal(0)
            log.error("ibkr corrects an execution of an earlier connection by %s: hold the books against it", key)
            return
        self._waiting[key] = (fill, client_order_id)
        asyncio.get_running_loop().call_later(self._wait, self._give_up, key)

    def commission(self, fill: Any) -> None:
        """The commission of an execution is known (or is not: then it has no execution id)."""
        key = fill.commissionReport.execId
        if not key:
            return
        fee = figure(fill.commissionReport.commission)
        if key in self._waiting:
            self._send(key, fee)
        elif key in self._told and self._told[key] is None:
            self._told[key] = fee
            symbol = fill.contract.symbol
            self._tell([CashUpdate("fee", -fee, _now(), symbol, f"commission of execution {key}")])

    def flush(self, client_order_id: str | None = None) -> None:
        """Tell what still waits for its commission, of one order or of all."""
        for key in [key for key, (_, name) in self._waiting.items() if client_order_id in (None, name)]:
            self._send(key, None)

    def _correct(self, before: Any, fill: Any, client_order_id: str) -> None:
        if before.execution.execId in self._waiting:
            self._send(before.execution.execId, None)
        was, now = before.execution, fill.execution
        self._told[now.execId] = Decimal(0)
        log.warning("ibkr corrects execution %s by %s", was.execId, now.execId)
        more, price = figure(now.shares) - figure(was.shares), figure(now.price)
        worth = min(figure(now.shares), figure(was.shares)) * (price - figure(was.price))
        worth *= Decimal(fill.contract.multiplier or 1) * (-1 if now.side == "BOT" else 1)
        if worth:
            reason = f"execution {was.execId} corrected by {now.execId}"
            self._tell([CashUpdate("correction", worth, _now(), fill.contract.symbol, reason)])
        if more > 0:
            self._tell([_fill(fill, client_order_id, more, Decimal(0))])
        elif more < 0:
            log.error("ibkr takes back %s units of execution %s", -more, was.execId)

    def _give_up(self, key: str) -> None:
        if key in self._waiting:
            self._send(key, None)

    def _send(self, key: str, fee: Decimal | None) -> None:
        fill, name = self._waiting.pop(key)
        self._told[key] = fee
        self._tell([_fill(fill, name, figure(fill.execution.shares), fee or Decimal(0))])


def _fill(fill: Any, client_order_id: str, qty: Decimal, fee: Decimal) -> OrderUpdate:
    execution = fill.execution
    return OrderUpdate(
        UpdateKind.FILL,
        client_order_id,
        to_nanos(execution.time),
        venue_order_id=str(execution.permId),
        execution_id=execution.execId,
        qty=qty,
        price=figure(execution.price),
        fee=fee,
    )


def _now() -> int:
    return to_nanos(datetime.now(UTC))
