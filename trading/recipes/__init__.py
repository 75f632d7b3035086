"""Recipes: the YAML, or the same JSON, that describes a run."""

from trading.recipes.credentials import secrets_of
from trading.recipes.errors import Problem, RecipeError
from trading.recipes.models import Part, Recipe, SessionOptions
from trading.recipes.reading import canonical, load, load_config, load_named, parse, redacted, sha256, with_feed

__all__ = [
    "Part",
    "Problem",
    "Recipe",
    "RecipeError",
    "SessionOptions",
    "canonical",
    "load",
    "load_config",
    "load_named",
    "parse",
    "redacted",
    "secrets_of",
    "sha256",
    "with_feed",
]
