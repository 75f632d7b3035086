"""One name for what is written in several ways."""

from __future__ import annotations

from trading.engine.errors import InvalidValue
from trading.engine.symbols import Symbol


def ticker_of(text: str) -> str:
    """Letters and digits of a symbol without its listing venue; what is no symbol of ours stays as it is."""
    try:
        return Symbol.parse(text).letters
    except InvalidValue:
        return text
