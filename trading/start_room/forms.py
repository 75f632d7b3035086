"""What was typed, as a form or as text, and what stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from access.principals import Principal
from trading import actions, recipes
from trading.engine.errors import TradingError
from trading.models import Run
from trading.recipes import Problem, Recipe, RecipeError
from trading.recipes.document import read_document
from trading.recipes.editing import line_of
from trading.start_room.fields import Section, changed, sections_of
from trading.start_room.forecast import Forecast, forecast


@dataclass(frozen=True)
class Placed:
    """A problem with the ``line`` of the text that it is about, where there is one."""

    problem: Problem
    line: int | None


@dataclass
class RecipeForm:
    """``text`` is the recipe; ``base`` the last one that could be read, from which the fields are.

    ``problems`` are the recipe's, ``refusal`` says why it was not started.
    """

    text: str
    base: str = ""
    refusal: str = ""
    recipe: Recipe | None = None
    forecast: Forecast | None = None
    problems: list[Problem] = field(default_factory=list)
    _data: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def typed(cls, posted: Mapping[str, str]) -> RecipeForm:
        """From text and fields: what was changed in a field since it was shown goes into the text."""
        text, base = (posted.get(name, "").replace("\r\n", "\n") for name in ("recipe", "base"))
        form = cls(text, base)
        try:
            form.text = changed(text, sections_of(_mapping(base)), posted)
        except RecipeError as error:
            form.problems = list(error.problems)
        return form

    def check(self) -> None:
        """Fill in what is wrong with it, and the recipe where nothing is."""
        try:
            self._data = _mapping(self.text)
            self.base = self.text
        except RecipeError as error:
            # What could be read last stays on the form while somebody is in the middle of a line.
            self._data, self.problems = _readable(self.base), list(error.problems)
            return
        try:
            self.recipe = recipes.load(self.text)
        except RecipeError as error:
            self.problems = list(error.problems)

    def foresee(self, *, rehearse: bool) -> None:
        """What would come of a recipe that holds."""
        if self.recipe is None:
            return
        try:
            self.forecast = forecast(self.recipe, rehearse=rehearse)
        except TradingError as error:
            self.refusal = f"{error}."

    @property
    def readable(self) -> bool:
        """Whether the fields show what the text says."""
        return self.base == self.text

    @property
    def sections(self) -> list[Section]:
        return sections_of(self._data, self.problems)

    @property
    def placed(self) -> list[Placed]:
        return [Placed(one, line_of(self.text, one.field.split("."))) for one in self.problems]

    def start(self, how: str, principal: Principal) -> Run | None:
        """The run that was started, or blocked by the metadata gate; None with what stands against it filled in."""
        self.check()
        if self.recipe is None:
            return None
        start = actions.start_backtest if how == "backtest" else actions.start_paper
        try:
            return start(self.recipe, principal=principal)
        except RecipeError as error:
            self.problems = list(error.problems)
        except actions.GateRefused as refused:
            return refused.run
        except TradingError as error:
            self.refusal = f"{error}."
        except actions.StartHeld as error:
            self.refusal = f"{str(error).capitalize()}."
        return None


def _mapping(text: str) -> Mapping[str, Any]:
    data = read_document(text)
    if not isinstance(data, Mapping):
        wanted = "a recipe must be a mapping with name, universe, strategy, feed and brokerage"
        raise RecipeError([Problem("", wanted)])
    return data


def _readable(text: str) -> Mapping[str, Any]:
    try:
        return _mapping(text)
    except RecipeError:
        return {}
