"""Executions and their commissions, which come in messages of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from brokers.ibkr.mapping import figure
from trading.engine.bars import to_nanos
from trading.engine.updates import CashUpdate, OrderUpdate, UpdateKind, VenueUpdate

#: How long an execution waits for its commission; one that comes later is told as a fee of its own.
COMMISSION_SECONDS: Final = 2.0


class Executions:
    """Tells each execution once, by its id, with its commission. To be used in the event loop alone."""

    def __init__(self, tell: Callable[[Sequence[VenueUpdate]], None], wait: float = COMMISSION_SECONDS) -> None:
        self._tell = tell
        self._wait = wait
        self._waiting: dict[str, tuple[Any, str]] = {}
        self._told: dict[str, Decimal | None] = {}

    def know(self, execution_ids: Iterable[str]) -> None:
        """These were told before, with their commissions."""
        self._told.update(dict.fromkeys(execution_ids, Decimal(0)))

    def execution(self, fill: Any, client_order_id: str) -> None:
        key = fill.execution.execId
        if key in self._told or key in self._waiting:
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
            now = to_nanos(datetime.now(UTC))
            symbol = fill.contract.symbol
            self._tell([CashUpdate("fee", -fee, now, symbol, f"commission of execution {key}")])

    def _give_up(self, key: str) -> None:
        if key in self._waiting:
            self._send(key, None)

    def _send(self, key: str, fee: Decimal | None) -> None:
        fill, name = self._waiting.pop(key)
        self._told[key] = fee
        execution = fill.execution
        self._tell(
            [
                OrderUpdate(
                    UpdateKind.FILL,
                    name,
                    to_nanos(execution.time),
                    venue_order_id=str(execution.permId),
                    execution_id=key,
                    qty=figure(execution.shares),
                    price=figure(execution.price),
                    fee=fee or Decimal(0),
                )
            ]
        )
