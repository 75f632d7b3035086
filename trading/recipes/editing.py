"""Changing one field of a recipe's text, so that comments, order and layout of all the rest stay as a person wrote
them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from trading.recipes.document import read_document
from trading.recipes.errors import RecipeError

#: Wider than any line, so that a value stays on its own.
_WIDE = 1_000_000

Path = Sequence[str]


def with_field(text: str, path: Path, value: Any) -> str:
    """The text with the value at ``path`` changed or added, or left out where it is None.

    Where the place cannot be found in the text, all of it is written anew. Raises `RecipeError` for a text that cannot
    be read.
    """
    wanted = _with(read_document(text), path, value)
    try:
        changed = _spliced(text, path, value)
        if read_document(changed) == wanted:
            return changed
    except (RecipeError, yaml.YAMLError):
        pass
    return yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


def line_of(text: str, path: Path) -> int | None:
    """The line (from 1) where the field stands, or else what encloses it; None where that is the whole text."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    line = None
    for step in path:
        pair = _pair(node, step)
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def flow(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=True, width=_WIDE)
    return text.removesuffix("\n...\n").removesuffix("\n")


def _with(data: Any, path: Path, value: Any) -> dict[str, Any]:
    first, *rest = path
    known = dict(data) if isinstance(data, Mapping) else {}
    if rest:
        if value is not None or isinstance(known.get(first), Mapping):
            known[first] = _with(known.get(first), rest, value)
    elif value is None:
        known.pop(first, None)
    else:
        known[first] = value
    return known


def _pair(node: Node | None, step: str) -> tuple[Node, Node] | None:
    pairs = node.value if isinstance(node, MappingNode) else ()
    return next((pair for pair in pairs if pair[0].value == step), None)


def _spliced(text: str, path: Path, value: Any) -> str:
    node = yaml.compose(text, yaml.SafeLoader)
    parent: Node | None = None
    for depth, step in enumerate(path):
        pair = _pair(node, step)
        if pair is None:
            return text if value is None else _added(text, node, path[depth:], value)
        parent, (_, node) = node, pair
    if value is None:
        return _removed(text, parent, path[-1])
    return _replaced(text, node, value)


def _replaced(text: str, node: Node | None, value: Any) -> str:
    if node is None:
        return flow(value) + "\n"
    begin = node.start_mark.index
    end = begin + len(text[begin : node.end_mark.index].rstrip())
    apart = " " if text[:begin].endswith(":") else ""
    return text[:begin] + apart + flow(value) + text[end:]


def _added(text: str, node: Node | None, path: Path, value: Any) -> str:
    first, *rest = path
    inner = _with({}, rest, value) if rest else value
    if not isinstance(node, MappingNode):
        return _replaced(text, node, {first: inner})
    if node.flow_style:
        end = node.end_mark.index - 1
        return text[:end].rstrip() + (", " if node.value else "") + flow({first: inner})[1:-1] + text[end:]
    end = _line_end(text, _end(node))
    indent = " " * node.value[0][0].start_mark.column
    return f"{text[:end]}\n{indent}{first}: {flow(inner)}{text[end:]}"


def _removed(text: str, parent: Node | None, step: str) -> str:
    pairs = parent.value if isinstance(parent, MappingNode) else []
    at = next(at for at, (key, _) in enumerate(pairs) if key.value == step)
    key, value = pairs[at]
    if len(pairs) == 1 and parent is not None:
        return _replaced(text, parent, {})
    if parent is not None and not parent.flow_style:
        begin = key.start_mark.index - key.start_mark.column
        return text[:begin] + text[_line_end(text, _end(value)) + 1 :]
    if at + 1 < len(pairs):
        return text[: key.start_mark.index] + text[pairs[at + 1][0].start_mark.index :]
    return text[: _end(pairs[at - 1][1])] + text[_end(value) :]


def _end(node: Node) -> int:
    """Where the node's own text ends; a block's mark stands at what comes after it."""
    if isinstance(node, ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, MappingNode) else last)


def _line_end(text: str, index: int) -> int:
    found = text.find("\n", index)
    return len(text) if found < 0 else found
