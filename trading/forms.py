"""Recipes as text: one that is stored, and those that are ready to be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from trading.recipes import Recipe
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
