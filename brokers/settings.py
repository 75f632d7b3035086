"""Reading the figures of a recipe's brokerage."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trading.engine.errors import InvalidValue


def figure(name: str, value: Any) -> Decimal:
    """A finite figure of zero or more; raises `InvalidValue` naming the field."""
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        raise InvalidValue(f"{name} must be a number, not {value!r}") from None
    if isinstance(value, bool) or not read.is_finite() or read < 0:
        raise InvalidValue(f"{name} must be zero or more, not {value}")
    return read


def check_names(name: str, given: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    """Raise `InvalidValue` for a key that is not among those allowed."""
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise InvalidValue(f"{name}.{unknown[0]} is not known; allowed: {', '.join(allowed)}")


def figures(name: str, given: Mapping[str, Any], allowed: tuple[str, ...]) -> dict[str, Decimal]:
    """The figures of a mapping, each finite and zero or more."""
    check_names(name, given, allowed)
    return {key: figure(f"{name}.{key}", value) for key, value in given.items()}
