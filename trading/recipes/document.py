"""From the text of a recipe to plain data: the JSON subset of YAML, within limits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node

from trading.recipes.errors import Problem, RecipeError

SIZE_LIMIT: Final = 64 * 1024
DEPTH_LIMIT: Final = 20
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """Safe YAML without what recipes have no use for.

    Words have the meaning of YAML 1.2: ``ON``, ``NO`` and ``2024-01-02`` are text (the first two are also tickers),
    and ``1e5`` is a number. Anchors, tags, repeated keys and deep nesting are refused.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if event.anchor is not None or getattr(event, "tag", None) is not None:
            raise ConstructorError(None, None, "anchors, aliases and tags are not allowed", event.start_mark)
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise ConstructorError(None, None, f"nested more than {DEPTH_LIMIT} deep", event.start_mark)
        node: Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                raise ConstructorError(None, None, "a key must be text", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"{key.value[:80]} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_NUMBER: Final = r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
for _tag, _pattern, _first in (
    ("bool", "true|True|false|False", "tTfF"),
    ("int", "[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", rf"{_NUMBER}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789"),
    ("null", "~|null|Null|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


def read_document(text: str | bytes) -> Any:
    """The data in a YAML (or JSON) text; raises `RecipeError` naming line and column."""
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    if len(raw) > SIZE_LIMIT:
        raise RecipeError([_too_large()])
    try:
        return yaml.load(raw.decode("utf-8-sig"), _Loader)
    except UnicodeDecodeError:
        raise RecipeError([Problem("", "is not UTF-8 text")]) from None
    except yaml.MarkedYAMLError as error:
        raise RecipeError([Problem("", _located(error))]) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise RecipeError([Problem("", "is not readable as YAML")]) from None


def _located(error: yaml.MarkedYAMLError) -> str:
    """The place and the reason, without the text around it, for that may hold a secret."""
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return place + (", ".join(filter(None, [error.context, error.problem])) or "is not readable as YAML")


def _too_large() -> Problem:
    return Problem("", f"is larger than {SIZE_LIMIT // 1024} KiB")


def plain_problems(data: Any) -> list[Problem]:
    """What JSON and the database could not hold: other types, NaN, control characters, too much or too deep."""
    problems = list(_impure(data, "", 0))
    if not problems and len(json.dumps(data)) > SIZE_LIMIT:
        return [_too_large()]
    return problems


def _impure(value: Any, field: str, depth: int) -> Iterator[Problem]:
    if depth > DEPTH_LIMIT:
        yield Problem(field, f"is nested more than {DEPTH_LIMIT} deep")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or _CONTROL.search(key):
                yield Problem(field, "has a key that is no plain text")
            else:
                yield from _impure(inner, f"{field}.{key}" if field else key, depth + 1)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _impure(inner, f"{field}.{index}", depth + 1)
    elif isinstance(value, str):
        if _CONTROL.search(value):
            yield Problem(field, "must not hold control characters")
    elif isinstance(value, int | float):
        if not math.isfinite(value):
            yield Problem(field, "must be a finite number")
        elif abs(value) >= 2**63:  # The database gives a float of that size back as a whole number.
            yield Problem(field, "is too large a number")
    elif value is not None:
        yield Problem(field, f"must be text, a number, true, false, a list or a mapping, not {type(value).__name__}")
