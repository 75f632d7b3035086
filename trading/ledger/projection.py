"""From events to rows: the one fold that appending and rebuilding share. Pure.

`Changes` gathers what a stretch of a run's events does to the tables, whatever was in them before, so that it does not
matter in how many stretches a run was written. Rows are JSON-ready: figures as text, event times in microseconds.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from trading.engine.errors import InvalidValue
from trading.engine.records import STATUS_AFTER, Kind
from trading.ledger.events import INTRODUCES, Payload

Row = dict[str, Any]

#: Columns of a run that a status record's ``data`` sets, under their own names.
#: What a run is from the fact of this kind on.
_STATUS_AFTER: Final[dict[str, str]] = {Kind.RISK_REDUCING: "reducing", Kind.RISK_RESUMED: "running"}
_STATUS_FIGURES: Final = ("started_at", "final_equity", "total_pnl", "cash", "num_bars", "ledger_hash", "metrics")


class Changes:
    """What a stretch of one run's events changes.

    ``orders`` are new, ``order_updates`` change orders of earlier stretches; ``positions`` replace, ``prices`` mark a
    position if there is one; ``fills``, ``points`` and ``risk_events`` are added; ``run`` holds the changed columns,
    its ``num_fills`` as an increment.
    """

    __slots__ = ("fills", "order_updates", "orders", "points", "positions", "prices", "risk_events", "run", "run_id")

    def __init__(self, run_id: UUID) -> None:
        self.run_id = str(run_id)
        self.orders: dict[str, Row] = {}
        self.order_updates: dict[str, Row] = {}
        self.fills: list[Row] = []
        self.positions: dict[str, Row] = {}
        self.prices: dict[str, Row] = {}
        self.points: dict[int, Row] = {}
        self.risk_events: list[Row] = []
        self.run: Row = {}

    def apply(self, seq: int, kind: str, payload: Payload) -> None:
        """Take the next event. Raises `InvalidValue` for an order that is intended twice."""
        time = payload["time"] // 1000
        data = payload.get("data") or {}
        if "order" in payload:
            self._order(seq, kind, time, payload)
        if "fill" in payload:
            self._fill(seq, time, payload["order"]["id"], payload["fill"])
        status = _STATUS_AFTER.get(kind)
        if status is not None:
            self.run |= {"status": status, "reason": payload.get("reason", "") if status == "reducing" else ""}
        if kind == Kind.RUN_STATUS:
            self._status(payload.get("reason", ""), data)
        for moment, equity, cash in data.get("points", ()):
            row = {"run_id": self.run_id, "time": moment // 1000, "equity": equity, "cash": cash}
            self.points[row["time"]] = row
        for symbol, price in data.get("prices", {}).items():
            self._mark(symbol, price, time)
        if kind == Kind.CASH:
            self.run["cash"] = data["cash"]
        elif data.get("code"):
            self._risk(seq, time, payload.get("reason", ""), data)

    def _order(self, seq: int, kind: str, time: int, payload: Payload) -> None:
        named = payload["order"]
        order_id = named["id"]
        row = self.orders.get(order_id) or self.order_updates.get(order_id)
        if row is None:
            row = self._introduce(seq, named) if kind in INTRODUCES else self._touch(order_id)
        elif kind in (Kind.ORDER_INTENDED, Kind.ORDER_EXTERNAL):
            raise InvalidValue(f"order {order_id} is intended twice")
        fill = payload.get("fill")
        if fill is not None:
            row["status"] = fill["order_status"]
            row["filled_qty"] = fill["order_filled_qty"]
            row["avg_fill_price"] = fill["order_avg_price"]
        else:
            refused = kind == Kind.ORDER_CANCEL_REFUSED
            row["status"] = payload["data"]["status"] if refused else STATUS_AFTER[kind].value
            row["reason"] = payload.get("reason") or row["reason"]
        row["venue_order_id"] = named.get("venue_order_id") or row["venue_order_id"]
        row["updated_at"] = time

    def _introduce(self, seq: int, terms: Payload) -> Row:
        row = {name: value for name, value in terms.items() if name != "collateral"}
        row |= {"run_id": self.run_id, "seq": seq, "created_at": terms["created_at"] // 1000, "filled_qty": "0"}
        row |= {"reason": "", "venue_order_id": None, "avg_fill_price": None}
        if "expires_at" in terms:
            row["expires_at"] = terms["expires_at"] // 1000
        self.orders[row["id"]] = row
        return row

    def _touch(self, order_id: str) -> Row:
        row: Row = {"id": order_id, "filled_qty": None, "avg_fill_price": None, "reason": None, "venue_order_id": None}
        self.order_updates[order_id] = row
        return row

    def _fill(self, seq: int, time: int, order_id: str, fill: Payload) -> None:
        self.fills.append(
            {
                "run_id": self.run_id,
                "seq": seq,
                "order_id": order_id,
                "venue_execution_id": fill["execution_id"],
                "symbol": fill["symbol"],
                "side": fill["side"],
                "qty": fill["qty"],
                "price": fill["price"],
                "fee": fill["fee"],
                "filled_at": time,
            }
        )
        # A fill is a price too: the last one known of its symbol until a later close is marked.
        self.positions[fill["symbol"]] = {
            "run_id": self.run_id,
            "symbol": fill["symbol"],
            "qty": fill["position_qty"],
            "cost": fill["position_cost"],
            "avg_price": fill["position_avg_price"],
            "realized_pnl": fill["realized_pnl"],
            "last_price": fill["price"],
            "updated_at": time,
        }
        self.prices.pop(fill["symbol"], None)
        self.run["cash"] = fill["cash"]
        self.run["num_fills"] = self.run.get("num_fills", 0) + 1

    def _mark(self, symbol: str, price: str, time: int) -> None:
        position = self.positions.get(symbol)
        if position is not None:
            position["last_price"] = price
            position["updated_at"] = time
        else:
            self.prices[symbol] = {
                "run_id": self.run_id,
                "symbol": symbol,
                "last_price": price,
                "updated_at": time,
            }

    def _status(self, reason: str, data: Payload) -> None:
        self.run |= {name: data[name] for name in _STATUS_FIGURES if data.get(name) is not None}
        # Why and since when belong to the status: a run that goes on has no end.
        self.run |= {"status": data["status"], "reason": reason, "ended_at": data.get("ended_at")}

    def _risk(self, seq: int, time: int, message: str, data: Payload) -> None:
        self.risk_events.append(
            {
                "run_id": self.run_id,
                "seq": seq,
                "code": data["code"],
                "message": message,
                "figure": data.get("figure"),
                "limit": data.get("limit"),
                "created_at": time,
            }
        )
