"""How much of each limit a run uses now, for a person to see before an order is refused.

Limits of single orders have no headroom of their own: the largest open order stands for them. A price collar and a
window for duplicates fill up with nothing, and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from risk.exposure import Reach, dearest, gross, net, reach
from risk.limits import RiskLimits
from risk.memory import Memory
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.orders import Side
from trading.engine.records import plain
from trading.engine.risk import Headroom
from trading.engine.strategy import Context

#: What is used of a limit, in which symbol.
Used = tuple[Decimal, str | None]

_ZERO: Final = Decimal(0)
_NOTHING: Final[Used] = (_ZERO, None)
_MINUTE: Final = 60 * NANOS_PER_SECOND


def headroom(limits: RiskLimits, context: Context, memory: Memory) -> list[Headroom]:
    """One of each limit that is set and fills up, in the order of `GAUGES`."""
    found: list[Headroom] = []
    for name, (unit, gauge) in GAUGES.items():
        limit = getattr(limits, name)
        if limit is not None:
            used, symbol = gauge(context, memory)
            found.append(Headroom(code=name, used=used, limit=Decimal(limit), unit=unit, symbol=symbol))
    return found


def shown(entries: Iterable[Headroom]) -> list[dict[str, Any]]:
    """As a run's state keeps them: figures as plain text."""
    return [
        {
            "code": one.code,
            "used": plain(one.used),
            "limit": plain(one.limit),
            "unit": one.unit,
            "symbol": one.symbol,
        }
        for one in entries
    ]


def _order_qty(context: Context, memory: Memory) -> Used:
    return _most((one.qty, one.symbol) for one in context.open_orders())


def _order_value(context: Context, memory: Memory) -> Used:
    orders = context.open_orders()
    return _most((one.qty * dearest(one, context) * _multiplier(context, one.symbol), one.symbol) for one in orders)


def _position_qty(context: Context, memory: Memory) -> Used:
    return _most((there.qty, symbol) for symbol, there in _reaches(context))


def _position_value(context: Context, memory: Memory) -> Used:
    return _most((there.value, symbol) for symbol, there in _reaches(context))


def _concentration(context: Context, memory: Memory) -> Used:
    value, symbol = _position_value(context, memory)
    equity = context.equity
    # Without equity whatever is held is all there is.
    return (value / equity if equity > 0 else Decimal(bool(value))), symbol


def _gross(context: Context, memory: Memory) -> Used:
    return gross(context), None


def _net(context: Context, memory: Memory) -> Used:
    return max(net(context, Side.BUY), net(context, Side.SELL), _ZERO), None


def _open_orders(context: Context, memory: Memory) -> Used:
    return Decimal(len(context.open_orders())), None


def _in_a_second(context: Context, memory: Memory) -> Used:
    return Decimal(memory.recent.since(context.now - NANOS_PER_SECOND)), None


def _in_a_minute(context: Context, memory: Memory) -> Used:
    return Decimal(memory.recent.since(context.now - _MINUTE)), None


def _repeats(context: Context, memory: Memory) -> Used:
    return Decimal(memory.recent.executions), None


def _reaches(context: Context) -> Iterable[tuple[str, Reach]]:
    return ((symbol, reach(symbol, context)) for symbol in context.symbols())


def _multiplier(context: Context, symbol: str) -> Decimal:
    position = context.position(symbol)
    return _ZERO if position is None else position.multiplier


def _most(found: Iterable[tuple[Decimal, str]]) -> Used:
    """The greatest; nothing where nothing is used."""
    most, symbol = max(found, key=lambda one: one[0], default=(_ZERO, ""))
    return (most, symbol) if most else _NOTHING


#: By field of `risk.limits.RiskLimits`: the unit, and what is used now.
GAUGES: Final[dict[str, tuple[str, Callable[[Context, Memory], Used]]]] = {
    "max_order_qty": ("qty", _order_qty),
    "max_order_value": ("money", _order_value),
    "max_position_qty": ("qty", _position_qty),
    "max_position_value": ("money", _position_value),
    "max_concentration": ("fraction", _concentration),
    "max_gross_exposure": ("money", _gross),
    "max_net_exposure": ("money", _net),
    "max_open_orders": ("count", _open_orders),
    "max_orders_per_second": ("count", _in_a_second),
    "max_orders_per_minute": ("count", _in_a_minute),
    "max_repeats": ("count", _repeats),
}
