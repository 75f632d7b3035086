"""`alphaswarm why RUN_ID`: what came of a bar, and why no order did."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.core.management.base import CommandParser

from alphaswarm_site.commands import BadInput, ProductCommand
from trading import queries
from trading.management.running import told_errors
from trading.trail import trail
from trading.trail.api import in_utc


class Command(ProductCommand):
    help = "Show the trail from a bar to signal, size, each check, the gate and the venue. By default of the last bar."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run_id", type=UUID, metavar="RUN_ID")
        parser.add_argument("--at", type=datetime.fromisoformat, help="the last bar at or before it (ISO 8601, UTC)")
        parser.add_argument("--symbol", help="of this symbol alone")
        parser.add_argument("--order", metavar="ORDER_ID", help="the bar that brought this order")

    def answer(
        self, run_id: UUID, at: datetime | None, symbol: str | None, order: str | None, **options: Any
    ) -> dict[str, Any]:
        run = queries.run(run_id)
        if run is None:
            raise BadInput(f"there is no run {run_id}", "unknown_run")
        with told_errors():
            found = trail(run, at=in_utc(at), symbol=symbol, order_id=order)
        document: dict[str, Any] = msgspec.to_builtins(found)
        return document

    def show(self, document: Any) -> None:
        self.stdout.write(f"{document['name']}, {document['time'] or 'no bar'}: {document['verdict']}")
        if document["note"]:
            self.stdout.write(document["note"])
        for step in document["state"]:
            self.stdout.write(f"  run      {step['message']}")
        for bar in document["bars"]:
            asked = "not kept" if bar["requests"] is None else "; ".join(bar["requests"]) or "nothing"
            self.stdout.write(f"  bar {bar['number']} of {bar['symbol']} closed at {bar['close']}; asked for: {asked}")
        for order in document["orders"]:
            self.stdout.write(f"  {order['order_id']}: {order['terms']}: {order['status']}")
            for step in order["steps"]:
                mark = {True: "✓", False: "✗", None: " "}[step["passed"]]
                limit = f" ({step['figure']} against {step['limit']})" if step["limit"] else ""
                self.stdout.write(f"    {mark} {step['stage']:<7}{step['message']}{limit}")
