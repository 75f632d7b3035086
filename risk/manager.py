"""The pre-trade check of a run: the rules that apply, in order, the first denial wins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final, NamedTuple

from risk import rules
from risk.limits import RiskLimits
from risk.rules import Rule
from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial
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


class Check(NamedTuple):
    """One rule's answer: its name, and why it refuses, None where it does not."""

    name: str
    denial: Denial | None


class RiskManager:
    """Checks the orders of one run against its limits. Keeps no state: all that counts is in the context."""

    def __init__(self, limits: RiskLimits) -> None:
        self.limits = limits
        self._of_opening = (*_OF_OPENING, *_limit_rules(limits))

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
        return None


def _limit_rules(limits: RiskLimits) -> list[Rule]:
    active: list[Rule] = []
    if limits.max_order_qty is not None:
        active.append(partial(rules.max_order_qty, limit=limits.max_order_qty))
    if limits.max_order_value is not None:
        active.append(partial(rules.max_order_value, limit=limits.max_order_value))
    if limits.max_position_value is not None:
        active.append(partial(rules.max_position_value, limit=limits.max_position_value))
    if limits.max_open_orders is not None:
        active.append(partial(rules.max_open_orders, limit=limits.max_open_orders))
    return active


def _name(rule: Any) -> str:
    return str(getattr(rule, "func", rule).__name__)
