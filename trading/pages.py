"""Keyset pagination: a page costs the same however far one has read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from trading.engine.errors import InvalidValue

Row = TypeVar("Row", bound=Model)
LARGEST = 1000


def page(
    rows: QuerySet[Row],
    keys: Sequence[str],
    cursor: str | None,
    limit: int,
    shape: Callable[[Row], dict[str, Any]],
) -> dict[str, Any]:
    """``{"items": […], "next": cursor or None}`` of ``rows`` ordered by ``keys`` (a leading ``-`` descends).

    The last key must be unique. Raises `InvalidValue` for a cursor that this function did not make.
    """
    if cursor:
        rows = rows.filter(_after(keys, _decode(cursor, len(keys))))
    limit = max(1, min(limit, LARGEST))
    found = list(rows.order_by(*keys)[: limit + 1])
    shown = found[:limit]
    following = _encode(shown[-1], keys) if len(found) > limit else None
    return {"items": [shape(row) for row in shown], "next": following}


def _after(keys: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows after ``values``: beyond in the first key, or equal there and beyond in the next, and so on."""
    condition = Q()
    for depth, key in enumerate(keys):
        name = key.lstrip("-")
        step = Q(**{f"{name}__{'lt' if key.startswith('-') else 'gt'}": values[depth]})
        for earlier, value in zip(keys[:depth], values, strict=False):
            step &= Q(**{earlier.lstrip("-"): value})
        condition |= step
    return condition


def _encode(row: Model, keys: Sequence[str]) -> str:
    values = [str(getattr(row, key.lstrip("-"))) for key in keys]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _decode(cursor: str, count: int) -> list[str]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise InvalidValue("cursor is not one that this server gave; leave it out to start from the top") from error
    if not isinstance(values, list) or len(values) != count or not all(isinstance(one, str) for one in values):
        raise InvalidValue("cursor is not one that this server gave; leave it out to start from the top")
    return values
