"""What is wrong with a recipe, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from trading.engine.errors import TradingError


@dataclass(frozen=True)
class Problem:
    """One thing to put right: the ``field`` by its path (``strategy.kwargs.fast``; empty for the recipe as a whole), a
    sentence without it, and the values or names that are allowed there, where they can be listed."""

    field: str
    message: str
    allowed: list[str] | None = None

    def __str__(self) -> str:
        sentence = f"{self.field}: {self.message}" if self.field else self.message
        return f"{sentence} (allowed: {', '.join(self.allowed)})" if self.allowed else sentence


class RecipeError(TradingError):
    """A recipe that cannot be run; ``problems`` are all that were found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = list(problems)


def unknown(field: str, name: str, allowed: Iterable[str]) -> Problem:
    """A name that is none of the allowed ones, with the one that was likely meant."""
    known = sorted(allowed)
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Problem(field, f"{name[:80]} is not known{hint}", known)
