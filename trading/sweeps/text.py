"""Sweeps in words: domains as a person types them, and findings as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trading.engine.errors import InvalidValue


def read_domain(text: str) -> list[Any] | dict[str, Any]:
    """``5,10,20`` are values, ``5:50:5`` steps from 5 to 50, ``5:50`` a range to draw from. Raises `InvalidValue`."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 1:
        values = [part.strip() for part in text.split(",")]
        if not all(values):
            raise InvalidValue(f"{text!r} has an empty value; write values such as 5,10,20")
        return [_value(part) for part in values]
    figures = [_value(part) for part in parts]
    if len(parts) > 3 or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in figures):
        raise InvalidValue(f"{text!r} is no range; write min:max:step such as 5:50:5")
    return dict(zip(("min", "max", "step"), figures, strict=False))


def _value(text: str) -> Any:
    """A number, true or false where it is one; text otherwise."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def params_text(params: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in params.items()) if params else "nothing"


def luck_sentence(luck: Mapping[str, Any] | None) -> str:
    """How much of the best Sharpe ratio is luck, in plain words."""
    if luck is None:
        return "No trial has a Sharpe ratio yet: none has traded, or none is done."
    best, by_luck = f"{luck['sharpe']:.2f}", f"{luck['expected_best']:.2f}"
    if luck["trials"] == 1:
        alone = _percent(1 - luck["probabilistic_sharpe"])
        return f"The one trial with a Sharpe ratio shows {best}; the chance that it is no better than zero is {alone}."
    chance = _percent(1 - luck["deflated_sharpe"])
    return (
        f"Of {luck['trials']:,} trials the best Sharpe ratio is {best}. Luck alone would show {by_luck} as the best of "
        f"so many; the chance that the best is no better than such luck is {chance}."
    )


def _percent(chance: float) -> str:
    if chance < 0.01:
        return "under 1%"
    return "over 99%" if chance > 0.99 else f"{chance:.0%}"


def best_lines(detail: Mapping[str, Any]) -> Iterator[str]:
    """What a finished sweep has found, a line each."""
    left_out = "".join(f"; {count} left out: {reason}" for reason, count in detail["skipped_reasons"].items())
    failed = f", {detail['failed']} failed" if detail["failed"] else ""
    yield f"{detail['done']:,} of {detail['trials']:,} trials done{failed}{left_out}"
    best = detail["best"]
    if best is not None:
        yield f"best {detail['objective']} {best['score']:.3f}: {params_text(best['params'])} (trial {best['number']})"
    if detail["overfitting"] is not None:
        yield f"probability of backtest overfitting: {detail['overfitting']:.0%}"
    walked = detail["walk_forward"]
    if walked is not None:
        inside, outside = (_figure(walked[name]) for name in ("in_sample", "out_of_sample"))
        yield f"walk-forward, mean {detail['objective']}: {inside} in sample, {outside} out of sample"


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"
