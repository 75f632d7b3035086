"""What a strategy has learned, as JSON and back: a snapshot of a run holds it, and a resumed run goes on from it.

Decimals are text, a deque is its items and its bound, and a float that JSON has no number for is its name.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, get_args, get_origin

import msgspec

from trading.engine.errors import InvalidValue
from trading.engine.strategy import IStrategy


def saved(strategy: IStrategy) -> Any:
    """The strategy's ``state`` as JSON-ready objects; None for a strategy without memory."""
    if strategy.state is None:
        return None
    return _finite(msgspec.to_builtins(strategy.state, str_keys=True, enc_hook=_pack))


def restore(strategy: IStrategy, data: Any) -> None:
    """Give a strategy the memory that `saved` took of one with the same settings.

    Raises `InvalidValue` where it is the memory of another strategy; the strategy then keeps what it has.
    """
    if strategy.state is None:
        if data is not None:
            raise InvalidValue(f"{type(strategy).__name__} has no memory, but one was saved")
        return
    try:
        strategy.state = msgspec.convert(data, type(strategy.state), strict=False, str_keys=True, dec_hook=_unpack)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"what was saved is no memory of {type(strategy).__name__}: {error}") from error


def _pack(value: Any) -> Any:
    if isinstance(value, deque):
        return {"items": list(value), "maxlen": value.maxlen}
    raise InvalidValue(f"a strategy's state cannot hold a {type(value).__name__}")


def _unpack(kind: type, data: Any) -> Any:
    if (get_origin(kind) or kind) is not deque:
        raise InvalidValue(f"a strategy's state cannot hold a {kind.__name__}")
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
