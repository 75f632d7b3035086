"""The pre-trade check of a run: the rules that apply, in order, the first denial wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from risk import day_trading, rules, rules_limits, rules_pace
from risk.headroom import headroom
from risk.limits import DayTrading, RiskLimits
from risk.memory import Memory
from risk.rules import Rule
from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial, Headroom
from trading.engine.strategy import Context

# Sanity comes first: the rules after it may rely on figures that are figures.
_OF_ALL: Final[tuple[Rule, ...]] = (
    rules.sane_quantity,
    rules.sane_prices,
    rules.sane_time_in_force,
    rules.known_price,
    rules.on_tick_and_lot,
    rules.sane_links,
)
#: Of orders that open exposure; what only reduces is never held back by these, nor by a limit.
_OF_OPENING: Final[tuple[Rule, ...]] = (
    rules.nothing_unknown,
    rules.allowed_short,
    rules.buying_power,
)
#: By field of `risk.limits.RiskLimits`, in the order in which they are asked.
_LIMITS: Final[dict[str, Callable[..., Denial | None]]] = {
    "price_collar_bps": rules_limits.price_collar,
    "max_order_qty": rules_limits.max_order_qty,
    "max_order_value": rules_limits.max_order_value,
    "max_position_qty": rules_limits.max_position_qty,
    "max_position_value": rules_limits.max_position_value,
    "max_concentration": rules_limits.max_concentration,
    "max_gross_exposure": rules_limits.max_gross_exposure,
    "max_net_exposure": rules_limits.max_net_exposure,
    "max_open_orders": rules_limits.max_open_orders,
}
_PACE: Final[dict[str, Callable[..., Denial | None]]] = {
    "max_orders_per_second": rules_pace.max_orders_per_second,
    "max_orders_per_minute": rules_pace.max_orders_per_minute,
    "duplicate_window_seconds": rules_pace.duplicate_order,
    "max_repeats": rules_pace.max_repeats,
}


class Check(NamedTuple):
    """One rule's answer: its name, and why it refuses, None where it does not."""

    name: str
    denial: Denial | None


class RiskManager:
    """Checks the orders of one run against its limits. What counts is in the context, and in ``memory`` what a limit in
    force has to remember: ``remembers`` says whether there is any, so that fills and endings need to be told."""

    def __init__(self, limits: RiskLimits) -> None:
        self.limits = limits
        self.remembers = limits.pdt is DayTrading.LEGACY_PDT or any(getattr(limits, name) for name in _PACE)
        self._set(Memory.of(limits))

    def _set(self, memory: Memory) -> None:
        self.memory = memory
        self._of_opening = (*_OF_OPENING, *_limit_rules(self.limits, memory))

    def explain(self, order: OrderRecord, context: Context) -> Iterator[Check]:
        """Every rule that is asked about the order, and its answer; changes nothing. The rules after sanity rely on it,
        so that an order that is not sane gets no further."""
        sane = True
        for rule in _OF_ALL:
            denial = rule(order, context)
            sane = sane and denial is None
            yield Check(_name(rule), denial)
        if sane and order.collateral:
            for rule in self._of_opening:
                yield Check(_name(rule), rule(order, context))

    def check_pretrade(self, order: OrderRecord, context: Context) -> Denial | None:
        """None when the order may leave. A `trading.engine.risk.PreTradeCheck`."""
        for rule in _OF_ALL:
            denial = rule(order, context)
            if denial is not None:
                return denial
        if order.collateral:
            for rule in self._of_opening:
                denial = rule(order, context)
                if denial is not None:
                    return denial
        if self.remembers:
            self.memory.take(order, context.now)
        return None

    @property
    def throttled(self) -> bool:
        """Whether the strategy is off until a person lets it trade again."""
        limit = self.limits.max_repeats
        return limit is not None and self.memory.recent.executions >= limit

    def resume(self) -> None:
        """A person lets it trade again: its executions are counted anew."""
        self.memory.recent.executions = 0

    def headroom(self, context: Context) -> list[Headroom]:
        """How much of each limit that fills up is used."""
        return headroom(self.limits, context, self.memory)

    def saved(self) -> dict[str, Any]:
        """What it remembers, JSON-ready."""
        built: dict[str, Any] = msgspec.to_builtins(self.memory)
        return built

    def restore(self, saved: dict[str, Any]) -> None:
        """Remember what an earlier part of the run has `saved`; raises `msgspec.ValidationError` for anything else."""
        self._set(msgspec.convert(saved, Memory))


def _limit_rules(limits: RiskLimits, memory: Memory) -> Iterator[Rule]:
    for name, rule in _LIMITS.items():
        limit = getattr(limits, name)
        if limit is not None:
            yield partial(rule, limit=limit)
    for name, paced in _PACE.items():
        limit = getattr(limits, name)
        if limit is not None:
            yield partial(paced, limit=limit, recent=memory.recent)
    if not limits.allow_short:
        yield rules_limits.short_not_allowed
    if limits.pdt is DayTrading.INTRADAY_MARGIN:
        yield day_trading.intraday_margin
    elif limits.pdt is DayTrading.LEGACY_PDT:
        yield partial(day_trading.legacy_pdt, days=memory.days)


def _name(rule: Any) -> str:
    return str(getattr(rule, "func", rule).__name__)
