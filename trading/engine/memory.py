"""What a strategy, a sizer or a risk rule has learned, as JSON and back.

A snapshot of a run holds it, and a resumed run goes on from it. Decimals are text, a deque is its items and its bound,
and a float that JSON has no number for is its name.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from trading.engine.errors import InvalidValue
from trading.engine.risk import Sizer
from trading.engine.strategy import IStrategy

Known = TypeVar("Known", bound=msgspec.Struct)


def saved(learner: IStrategy | Sizer) -> Any:
    """The learner's ``state`` as JSON-ready objects; None for one without memory."""
    return None if learner.state is None else packed(learner.state)


def restore(learner: IStrategy | Sizer, data: Any) -> None:
    """Give a strategy or a sizer the memory that `saved` took of one with the same settings.

    Raises `InvalidValue` where it is the memory of another one; the learner then keeps what it has.
    """
    if learner.state is not None:
        learner.state = unpacked(data, type(learner.state), type(learner).__name__)
    elif data is not None:
        raise InvalidValue(f"{type(learner).__name__} has no memory, but one was saved")


def packed(state: msgspec.Struct) -> Any:
    """A struct as JSON-ready objects."""
    return _finite(msgspec.to_builtins(state, str_keys=True, enc_hook=_pack))


def unpacked(data: Any, kind: type[Known], whose: str = "") -> Known:
    """The struct that `packed` took; raises `InvalidValue`, saying ``whose`` memory it is not."""
    try:
        return msgspec.convert(data, kind, strict=False, str_keys=True, dec_hook=_unpack)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"what was saved is no memory of {whose or kind.__name__}: {error}") from error


def _pack(value: Any) -> Any:
    if isinstance(value, deque):
        return {"items": list(value), "maxlen": value.maxlen}
    raise InvalidValue(f"a state cannot hold a {type(value).__name__}")


def _unpack(kind: type, data: Any) -> Any:
    if (get_origin(kind) or kind) is not deque:
        raise InvalidValue(f"a state cannot hold a {kind.__name__}")
    (item,) = get_args(kind) or (Any,)
    items = msgspec.convert(data["items"], list[item], strict=False, str_keys=True, dec_hook=_unpack)  # type: ignore[valid-type]
    return deque(items, data["maxlen"])


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
