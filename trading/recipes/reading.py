"""Reading recipes, and writing them down without their secrets."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from trading.recipes.checks import shape_problems
from trading.recipes.credentials import known_secrets, secrets_of, without_secrets
from trading.recipes.document import SIZE_LIMIT, plain_problems, read_document
from trading.recipes.errors import Problem, RecipeError, unknown
from trading.recipes.models import Recipe
from trading.recipes.parts import part_problems
from trading.strategies import STRATEGIES

PROJECT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = PROJECT / "configs" / "paper"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_URNS: Final = ("model_urn", "pipeline_urn")


def load(text: str | bytes) -> Recipe:
    """A recipe from its YAML (or JSON) text; raises `RecipeError`."""
    return parse(read_document(text))


def parse(data: Mapping[str, Any]) -> Recipe:
    """A recipe from its JSON form; raises `RecipeError` with every problem."""
    if not isinstance(data, Mapping):
        raise RecipeError([Problem("", "a recipe must be a mapping with name, universe, strategy, feed and brokerage")])
    problems = plain_problems(data)
    if problems:
        raise RecipeError(problems)
    data, problems = _with_urns_in_session(data)
    problems += shape_problems(Recipe, data)
    problems += part_problems(data)
    problems += _foreign_instruments(data)
    problems += _sized_twice(data)
    if problems:
        raise RecipeError(sorted(problems, key=_place))
    return Recipe.model_validate_json(json.dumps(data), strict=True)


def _with_urns_in_session(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The two URNs may stand at the top level too; the same data with them in the session."""
    top = {name: data[name] for name in _URNS if name in data}
    rest = {name: value for name, value in data.items() if name not in top}
    session = rest.get("session", {})
    if not top or not isinstance(session, Mapping):
        return rest, []
    problems = [
        Problem(name, f"differs from session.{name}; write it once")
        for name, urn in top.items()
        if session.get(name, urn) != urn
    ]
    return {**rest, "session": {**top, **session}}, problems


def _foreign_instruments(data: Mapping[str, Any]) -> list[Problem]:
    universe, instruments = data.get("universe"), data.get("instruments")
    if not isinstance(universe, list) or not isinstance(instruments, Mapping):
        return []
    foreign = [symbol for symbol in instruments if symbol not in universe]
    return [Problem(f"instruments.{symbol}", "is not in the universe") for symbol in foreign]


def _sized_twice(data: Mapping[str, Any]) -> list[Problem]:
    strategy = data.get("strategy")
    cls = STRATEGIES.get(str(strategy.get("class"))) if isinstance(strategy, Mapping) else None
    if data.get("sizing") is None or cls is None or not cls.sizes_itself:
        return []
    return [Problem("sizing", f"{cls.__name__} sizes its own orders; leave sizing out")]


def _place(problem: Problem) -> int:
    """Problems are told in the order of the recipe's fields."""
    first = problem.field.split(".")[0]
    fields = list(Recipe.model_fields)
    return fields.index(first) if first in fields else len(fields)


def load_named(name: str) -> Recipe:
    """The recipe in ``configs/paper/NAME.yaml``; a name is never a path. Raises `RecipeError`."""
    if not _NAME.fullmatch(name) or not (FOLDER / f"{name}.yaml").is_file():
        raise RecipeError([unknown("config", name, (file.stem for file in FOLDER.glob("*.yaml")))])
    return _load_file(FOLDER / f"{name}.yaml")


def load_config(config: str | Path) -> Recipe:
    """The recipe of this name in ``configs/paper``, or in the file at this path (from here or from the project's
    folder); raises `RecipeError`."""
    if isinstance(config, str) and _NAME.fullmatch(config):
        return load_named(config)
    path = Path(config)
    return _load_file(path if path.exists() else PROJECT / path)


def _load_file(path: Path) -> Recipe:
    if not path.is_file():
        raise RecipeError([Problem("config", f"there is no recipe at {path}")])
    try:
        with path.open("rb") as file:
            text = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise RecipeError([Problem("config", f"{path} cannot be read: {error.strerror}")]) from error
    return load(text)


def with_feed(recipe: Recipe, cls: str, kwargs: Mapping[str, Any]) -> Recipe:
    """The same recipe on another feed; raises `RecipeError`."""
    return parse({**_dumped(recipe), "feed": {"class": cls, "kwargs": dict(kwargs)}})


def _dumped(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(mode="json", by_alias=True)


def redacted(recipe: Recipe, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """The recipe's JSON form for keeping and showing: without its secrets, without those of the environment, and
    without the ``secrets`` given. `parse` reads it again."""
    own = {str(value) for value in secrets_of(recipe).values()}
    cleaned: dict[str, Any] = without_secrets(_dumped(recipe), own | known_secrets() | set(secrets))
    return cleaned


def canonical(recipe: Recipe) -> bytes:
    """One spelling of the redacted recipe: JSON with sorted keys and no blanks."""
    return json.dumps(redacted(recipe), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(recipe: Recipe) -> str:
    """The hex digest of the canonical form."""
    return hashlib.sha256(canonical(recipe)).hexdigest()
