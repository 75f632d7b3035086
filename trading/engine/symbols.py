"""Symbols: the one place where a symbol string is split."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from trading.engine.errors import InvalidValue

_SYMBOL = re.compile(r"(?P<ticker>[A-Z0-9][A-Z0-9/_\-]{0,31}(?:\.[A-Z])?)(?:\.(?P<venue>[A-Z][A-Z0-9]{1,15}))?")

_SIGNS = re.compile(r"[^A-Z0-9]")


class Symbol(msgspec.Struct, frozen=True, order=True):
    """An instrument by its ticker and, where one is named, its listing venue.

    ``AAPL`` has no venue, ``AAPL.NASDAQ`` has one; a single letter after a dot is a share class (``BRK.B``,
    ``BRK.B.NYSE``), since no venue code has a single letter.
    """

    ticker: str
    venue: str | None = None

    @property
    def letters(self) -> str:
        """The ticker's letters and digits alone, for what is written in several ways: BTC/USD and BTCUSD, BRK.B and
        BRK-B."""
        return _SIGNS.sub("", self.ticker)

    @classmethod
    def parse(cls, text: str) -> Symbol:
        """Read ``TICKER`` or ``TICKER.VENUE``; raises `InvalidValue` naming the text when it is neither."""
        return _parse(text)

    def __str__(self) -> str:
        return self.ticker if self.venue is None else f"{self.ticker}.{self.venue}"


@lru_cache(maxsize=4096)
def _parse(text: str) -> Symbol:
    match = _SYMBOL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidValue(f"symbol {text!r} must be TICKER or TICKER.VENUE in capitals, for example AAPL.NASDAQ")
    return Symbol(match["ticker"], match["venue"])
