"""The one form of the pages: a recipe as text, and what is ready to be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from access.principals import Principal
from trading import actions, recipes
from trading.engine.errors import TradingError
from trading.models import Run
from trading.recipes import Recipe, RecipeError
from trading.recipes.reading import FOLDER


@dataclass(frozen=True)
class Config:
    """A file of configs/paper; ``about`` is its first comment."""

    name: str
    about: str
    text: str


def as_yaml(recipe: Mapping[str, Any]) -> str:
    """A stored recipe as a person would write it: in the usual order, without what was left out."""
    usual = [*(name for name in Recipe.model_fields if name in recipe), *(name for name in recipe)]
    ordered = _given({name: recipe[name] for name in usual})
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


def _given(value: Any) -> Any:
    return {name: _given(one) for name, one in value.items() if one is not None} if isinstance(value, dict) else value


def configs() -> list[Config]:
    return [_config(path.stem, path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))]


def _config(name: str, text: str) -> Config:
    first, _, _ = text.partition("\n")
    return Config(name, first.lstrip("# ").strip() if first.startswith("#") else "", text)


@dataclass
class RecipeForm:
    """What was typed, and what stands against it: ``problems`` of the recipe by field, or a ``refusal`` to start it."""

    text: str = ""
    problems: list[Any] = field(default_factory=list)
    refusal: str = ""

    def start(self, how: str, principal: Principal) -> Run | None:
        """The run that was started, or blocked by the metadata gate; None with what stands against it filled in."""
        start = actions.start_backtest if how == "backtest" else actions.start_paper
        try:
            return start(recipes.load(self.text), principal=principal)
        except RecipeError as error:
            self.problems = list(error.problems)
        except actions.GateRefused as refused:
            return refused.run
        except TradingError as error:
            self.refusal = f"{error}."
        except actions.StartHeld as error:
            self.refusal = f"{str(error).capitalize()}."
        return None
