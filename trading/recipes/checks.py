"""Data against a model, told in the recipe's own words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trading.recipes.errors import Problem, unknown

_WORDING: Final = (
    (re.compile(r"^Value error, "), ""),
    (re.compile(r"^Field required$"), "is missing"),
    (re.compile(r"^(Input|String|List|Tuple|Decimal input) should "), "must "),
    (re.compile(r"an object$|a valid dictionary$"), "a mapping"),
    (re.compile(r"a valid (tuple|list|array)$"), "a list"),
    (re.compile(r"a valid (decimal|number)$"), "a number"),
    (re.compile(r"a valid string$"), "text"),
    (re.compile(r"a valid boolean$"), "true or false"),
    (re.compile(r"a valid integer.*$"), "a whole number"),
)


def shape_problems(model: type[BaseModel], data: Mapping[str, Any], prefix: str = "") -> list[Problem]:
    """What the model says against the data, field by field.

    Checked as strict JSON, so that ``10`` is a number and ``"10"`` is not, except for money, which may be either.
    """
    try:
        model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        found: dict[str, Problem] = {}
        for details in error.errors(include_url=False, include_input=False):
            problem = _problem(details, model, data, prefix)
            known = found.get(problem.field)
            found[problem.field] = problem if known is None else _either(known, problem)
        # Of a union, the member that got further into the data is the one that was meant.
        return [found[field] for field in found if not any(other.startswith(f"{field}.") for other in found)]
    return []


def _problem(details: ErrorDetails, model: type[BaseModel], data: Mapping[str, Any], prefix: str) -> Problem:
    path = _path(details, data)
    field = ".".join(filter(None, [prefix, *map(str, path)]))
    if details["type"] == "extra_forbidden":
        return unknown(field, str(path[-1]), _names_beside(model, details["loc"]))
    if details["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _mistagged(field, details["ctx"])
    message = details["msg"]
    for pattern, words in _WORDING:
        message = pattern.sub(words, message)
    expected = details.get("ctx", {}).get("expected", "")
    listed = re.findall(r"'([^']*)'", expected) if details["type"] in ("literal_error", "enum") else []
    return Problem(field, f"must be {expected}" if listed else message, listed or None)


def _mistagged(field: str, context: Mapping[str, str]) -> Problem:
    """What tells the members of a union apart is missing or names none of them."""
    field = ".".join([field, *re.findall(r"'([^']*)'", context["discriminator"])])
    if "tag" not in context:
        return Problem(field, "is missing")
    return unknown(field, context["tag"], re.findall(r"'([^']*)'", context["expected_tags"]))


def _path(details: ErrorDetails, data: Any) -> list[int | str]:
    """The steps that lead through the data, and the one that is missing from it; others name members of a union."""
    path: list[int | str] = []
    for step in details["loc"]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(step)
    return [*path, details["loc"][-1]] if details["type"] == "missing" else path


def _names_beside(model: type[BaseModel], steps: Sequence[int | str]) -> list[str]:
    """The fields of the model in which the last step was looked for; a step that is no field is the name of an entry,
    or of a member of a union, which its tag tells."""
    models = [model]
    for step in steps[:-1]:
        field = models[0].model_fields.get(str(step))
        if field is not None:
            models = list(_models_of(field.annotation))
        else:
            models = [one for one in models if _is_tagged(one, step)] or models
    return [field.alias or name for name, field in models[0].model_fields.items()]


def _models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_of(inner)


def _is_tagged(model: type[BaseModel], tag: int | str) -> bool:
    return any(tag in get_args(field.annotation) for field in model.model_fields.values())


def _either(one: Problem, other: Problem) -> Problem:
    """The members of a union each say what they want; any of it would do."""
    wanted = other.message.removeprefix("must be ")
    message = one.message if wanted in one.message else f"{one.message}, or {wanted}"
    return Problem(one.field, message, [*(one.allowed or []), *(other.allowed or [])] or None)
