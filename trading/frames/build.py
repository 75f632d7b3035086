"""From a record of the engine to the frames that show it. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from trading.engine.orders import OrderRecord, OrderType
from trading.engine.records import STATUS_AFTER, Kind, Record, plain
from trading.frames import stages

Extras = dict[str, Any]

#: Final states of a run in which it did not do what it was asked for: an `error` frame says why before `done`.
_FAILURES = frozenset({"failed", "blocked", "interrupted"})
#: States that a run does not leave by itself.
ENDED = frozenset({"completed", "stopped", "killed", "halted"}) | _FAILURES

#: An acknowledgement, and what is told once it is done.
UNSEEN = frozenset({Kind.ORDER_ACCEPTED, Kind.ORDER_PENDING_CANCEL})
_HELD_BACK = frozenset({Kind.RISK_HALTED, Kind.RISK_REDUCING, Kind.HALTED})
_OVER = {Kind.ORDER_CANCELLED: "cancelled", Kind.ORDER_EXPIRED: "expired", Kind.ORDER_REPLACED: "replaced"}
#: Terms that a frame names only where an order has them.
_TERMS = ("stop_price", "trail_amount", "trail_percent")


class FrameDraft(NamedTuple):
    """A frame without its task, its time and its number; ``extras`` are JSON-ready."""

    stage: str
    message: str
    extras: Extras


def of_record(record: Record) -> list[FrameDraft]:
    """The frames that show ``record``, in order; none for what no person waits for (an acknowledgement).

    What has no stage of its own takes the nearest: an order that has expired or was replaced is `order.cancelled` with
    ``order_status`` `expired` or `replaced`; an order whose fate is unknown, whose cancel the venue refused, or which
    the venue has brought itself, is `order.placed` (once more) with the ``order_status`` that it has now. A run that
    only reduces is `risk.halted` with ``mode`` `reducing`; that it trades again shows in the ``mode`` of its equity.
    """
    if record.kind is Kind.RUN_STATUS:
        return _run_frames(record)
    if record.kind in _HELD_BACK:
        return [FrameDraft(stages.RISK_HALTED, record.reason, _breach(record))]
    if record.kind is Kind.KILL_ENGAGED:
        message = record.reason or "kill switch engaged"
        return [FrameDraft(stages.KILL_ENGAGED, message, {"epoch": (record.data or {}).get("epoch")})]
    if record.order is not None:
        return _order_frames(record, record.order)
    return []


def _order_frames(record: Record, order: OrderRecord) -> list[FrameDraft]:
    kind, reason, data = record.kind, record.reason, record.data or {}
    if kind in UNSEEN:
        return []
    if kind is Kind.ORDER_FILLED:
        return [_filled(record, order)]
    if kind is Kind.ORDER_CANCEL_REFUSED:
        extras = _extras(order, data.get("status", ""), reason)
        return [FrameDraft(stages.ORDER_PLACED, _with_reason("cancel refused", reason), extras)]
    extras = _extras(order, STATUS_AFTER[kind].value, reason)
    if kind is Kind.ORDER_INTENDED:
        return [FrameDraft(stages.SIGNAL_EMITTED, order.signal, extras)]
    if kind is Kind.ORDER_SUBMITTED:
        return [FrameDraft(stages.ORDER_PLACED, _sentence(order), extras)]
    if kind is Kind.ORDER_UNKNOWN:
        return [FrameDraft(stages.ORDER_PLACED, _with_reason("not known whether the venue has it", reason), extras)]
    if kind is Kind.ORDER_DENIED:
        rejected = FrameDraft(stages.ORDER_REJECTED, reason, {**extras, "code": data.get("code", "")})
        # An order that was withheld at the gate has shown its signal with its intent.
        return (
            [rejected] if data.get("withheld") else [FrameDraft(stages.SIGNAL_EMITTED, order.signal, extras), rejected]
        )
    if kind is Kind.ORDER_REJECTED:
        return [FrameDraft(stages.ORDER_REJECTED, reason, {**extras, "code": "venue"})]
    if kind is Kind.ORDER_EXTERNAL:
        return [FrameDraft(stages.ORDER_PLACED, _with_reason(f"by the venue: {_sentence(order)}", reason), extras)]
    if kind in _OVER:
        return [FrameDraft(stages.ORDER_CANCELLED, _with_reason(_OVER[kind], reason), extras)]
    return []


def _breach(record: Record) -> Extras:
    data = record.data or {}
    mode = {"mode": "reducing"} if record.kind is Kind.RISK_REDUCING else {}
    figures = {name: data[name] for name in ("figure", "limit") if data.get(name) is not None}
    return {"code": data.get("code", ""), **mode, **figures}


def _filled(record: Record, order: OrderRecord) -> FrameDraft:
    fill = record.fill
    if fill is None:
        raise ValueError(f"record order.filled of order {order.id} carries no fill")
    verb = "bought" if fill.side == "buy" else "sold"
    extras = {
        **_extras(order, fill.order_status.value, record.reason),
        "qty": plain(fill.qty),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "execution_id": fill.execution_id,
        "order_filled_qty": plain(fill.order_filled_qty),
        "order_avg_price": plain(fill.order_avg_price),
        "position_qty": plain(fill.position_qty),
        "realized_pnl": plain(fill.realized_pnl),
        "cash": plain(fill.cash),
    }
    return FrameDraft(stages.ORDER_FILLED, f"{verb} {extras['qty']} {fill.symbol} at {extras['price']}", extras)


def _extras(order: OrderRecord, status: str, reason: str) -> Extras:
    """``price`` is the limit of an order that has one, else None."""
    terms = {name: plain(price) for name in _TERMS if (price := getattr(order, name)) is not None}
    return {
        "order_id": order.id,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "qty": plain(order.qty),
        "price": plain(order.limit_price) or None,
        "type": order.type.value,
        "order_status": status,
        "reason": reason,
        **({"sizing": order.sizing} if order.sizing else {}),
        **terms,
    }


def _sentence(order: OrderRecord) -> str:
    at = f"at {plain(order.limit_price)} or better" if order.limit_price is not None else "at market"
    if order.stop_price is not None:
        at += f" once {plain(order.stop_price)} is reached"
    elif order.type is OrderType.TRAILING_STOP:
        trail = f"{plain(order.trail_percent)}%" if order.trail_amount is None else plain(order.trail_amount)
        at += f" once the price has turned by {trail}"
    return f"{order.side.value} {plain(order.qty)} {order.symbol} {at}"


def _with_reason(sentence: str, reason: str) -> str:
    return f"{sentence}: {reason}" if reason else sentence


def _run_frames(record: Record) -> list[FrameDraft]:
    data = record.data or {}
    status, reason = data.get("status", ""), record.reason or data.get("reason", "")
    if status == "running":
        # A run that goes on after its owner was lost has started before.
        return [] if data.get("resumed") else [FrameDraft(stages.START, "running", {"status": status})]
    if status not in ENDED:
        return []
    done = FrameDraft(stages.DONE, _with_reason(status, reason), _ending(data, status, reason))
    if status in _FAILURES:
        return [FrameDraft(stages.ERROR, reason or status, {"status": status, "reason": reason}), done]
    return [done]


def _ending(data: Extras, status: str, reason: str) -> Extras:
    metrics = data.get("metrics") or {}
    figures = {name: data.get(name) for name in ("total_pnl", "num_fills", "num_bars")}
    result = {
        "status": status,
        "bars": figures["num_bars"],
        "fills": figures["num_fills"],
        "cash": data.get("cash"),
        "final_equity": data.get("final_equity"),
        "total_pnl": figures["total_pnl"],
        "sharpe": metrics.get("sharpe"),
        "total_return": metrics.get("total_return"),
        "max_drawdown": metrics.get("max_drawdown"),
        "ledger_hash": data.get("ledger_hash"),
    }
    return {"status": status, "reason": reason, **figures, "result": result}
