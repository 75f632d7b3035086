"""The figures of a tear sheet in the words of a person: what each is called, how it is written, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple


class Figure(NamedTuple):
    """``form`` is how the value is written: ``percent``, ``ratio``, ``money``, ``pnl``, ``count``, ``days``, ``time``
    or ``times``; ``better`` whether one ``high`` or ``low`` is better, empty where neither is."""

    key: str
    name: str
    form: str
    says: str
    better: str = ""


class Shown(NamedTuple):
    """A figure with its value, and the same of buying and holding where there is one."""

    figure: Figure
    value: Any
    holding: Any


class Group(NamedTuple):
    name: str
    figures: list[Shown]


_GROUPS: Final[Sequence[tuple[str, Sequence[Figure]]]] = (
    (
        "Return",
        (
            Figure("total_return", "Total return", "percent", "Last equity over the starting cash, less one", "high"),
            Figure(
                "annual_return", "Annual return", "percent", "The yearly growth that compounds to the same end", "high"
            ),
            Figure(
                "excess_return", "Beyond holding", "percent", "Total return less that of buying and holding", "high"
            ),
        ),
    ),
    (
        "Risk",
        (
            Figure("max_drawdown", "Deepest drawdown", "percent", "The deepest fall from an earlier peak", "low"),
            Figure("drawdown_days", "Its length", "days", "From that peak to its recovery, or to the end", "low"),
            Figure(
                "longest_drawdown_days", "Longest drawdown", "days", "The longest time below an earlier peak", "low"
            ),
            Figure("volatility", "Volatility", "percent", "Deviation of returns, scaled to a year", "low"),
        ),
    ),
    (
        "Return for risk",
        (
            Figure("sharpe", "Sharpe ratio", "ratio", "Mean return over its deviation, scaled to a year", "high"),
            Figure("sortino", "Sortino ratio", "ratio", "The same, counting deviation downwards alone", "high"),
            Figure("calmar", "Calmar ratio", "ratio", "Annual return over the deepest drawdown", "high"),
        ),
    ),
    (
        "Trading",
        (
            Figure("exposure", "Exposure", "percent", "Share of the bars at which something was held"),
            Figure("turnover", "Turnover", "times", "Value bought and sold over the average equity"),
            Figure("fees", "Fees paid", "money", "All fees of all fills", "low"),
            Figure("slippage", "Slippage paid", "money", "What fills cost beyond the price before slippage", "low"),
        ),
    ),
    (
        "Trades",
        (
            Figure("trades", "Round trips", "count", "First in, first out"),
            Figure("win_rate", "Win rate", "percent", "Round trips that gained after fees", "high"),
            Figure("profit_factor", "Profit factor", "ratio", "What was won over what was lost", "high"),
            Figure("average_trade", "Average trade", "pnl", "Mean result of a round trip, after fees", "high"),
            Figure("best_trade", "Best trade", "pnl", "The largest gain", "high"),
            Figure("worst_trade", "Worst trade", "pnl", "The largest loss", "high"),
            Figure("average_hold", "Average hold", "time", "From entry to exit"),
        ),
    ),
)

FIGURES: Final = tuple(one for _, figures in _GROUPS for one in figures)


def grouped(metrics: Mapping[str, Any]) -> list[Group]:
    """All figures of a run's metrics; None stands for what is not defined or was not measured."""
    holding = metrics.get("benchmark") or {}
    known = with_excess(metrics)
    return [
        Group(name, [Shown(one, known.get(one.key), holding.get(one.key)) for one in figures])
        for name, figures in _GROUPS
    ]


def with_excess(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics, and by how much the return is beyond that of holding."""
    return {**metrics, "excess_return": _excess(metrics, metrics.get("benchmark") or {})}


def _excess(metrics: Mapping[str, Any], holding: Mapping[str, Any]) -> float | None:
    ours, theirs = metrics.get("total_return"), holding.get("total_return")
    return None if ours is None or theirs is None else ours - theirs
