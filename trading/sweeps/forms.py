"""The form that starts a sweep: a recipe, and its parameters as lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from access.principals import Principal
from trading import recipes
from trading.engine.errors import TradingError
from trading.recipes import Problem, RecipeError
from trading.sweeps import actions
from trading.sweeps.models import Sweep
from trading.sweeps.spec import Objective
from trading.sweeps.text import read_domain

OBJECTIVES = {
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "calmar": "Calmar ratio",
    "total_return": "total return",
}
assert set(OBJECTIVES) == set(get_args(Objective))


@dataclass
class SweepForm:
    """What was typed, field by field, and what stands against it."""

    recipe: str = ""
    parameters: str = ""
    where: str = ""
    search: str = "grid"
    trials: str = "100"
    seed: str = "0"
    objective: str = "sharpe"
    folds: str = "5"
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def of(cls, posted: Mapping[str, str]) -> SweepForm:
        names = ("recipe", "parameters", "where", "search", "trials", "seed", "objective", "folds")
        return cls(**{name: posted.get(name, "").strip() for name in names})

    def start(self, principal: Principal) -> Sweep | None:
        """The sweep that was started; None with the problems filled in."""
        try:
            return actions.start_sweep(recipes.load(self.recipe), self._spec(), principal=principal)
        except RecipeError as error:
            self.problems = list(error.problems)
        except TradingError as error:
            self.problems = [Problem("", str(error))]
        return None

    def _spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {
            "parameters": dict(_parameter(line) for line in _lines(self.parameters)),
            "search": self.search or "grid",
            "where": _lines(self.where),
            "objective": self.objective or "sharpe",
        }
        if self.search == "random":
            spec |= {"trials": _whole("trials", self.trials), "seed": _whole("seed", self.seed)}
        if self.folds and self.folds != "0":
            spec["walk_forward"] = {"folds": _whole("walk_forward.folds", self.folds)}
        return spec


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _parameter(line: str) -> tuple[str, Any]:
    name, equals, values = line.partition("=")
    if not equals or not name.strip():
        raise RecipeError(
            [Problem("sweep.parameters", f"{line!r}: write a parameter and its values: fast = 5, 10, 20")]
        )
    return name.strip(), read_domain(values)


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RecipeError([Problem(f"sweep.{name}", f"must be a whole number, not {text!r}")]) from None


def suggested(recipe: str) -> str:
    """Lines to begin with: the numbers among the strategy's arguments, at about half, once and twice their value."""
    try:
        kwargs = recipes.load(recipe).strategy.kwargs
    except RecipeError:
        return ""
    lines = []
    for name, value in kwargs.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and name != "quantity":
            around = [value / 2, value, value * 2]
            values = sorted({max(1, round(one)) for one in around} if isinstance(value, int) else set(around))
            lines.append(f"{name} = {', '.join(f'{one:g}' for one in values)}")
    return "\n".join(lines)
