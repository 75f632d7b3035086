"""Scoped halts: what stands of them, as the gatekeeper writes it beside the gate and every sender of orders reads it.

The gate's record is small and read before each order, so it carries only the halts' epoch, which grows with every
change. The halts themselves lie in a file beside it and are read again when that epoch differs. The file is replaced
whole; its checksum starts as the gate's does, so that a torn, a foreign and an outdated file are all the same:
unreadable, and what cannot be read lets nothing through.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from risk.gate_file import SEED
from trading.engine.errors import InvalidValue
from trading.engine.instruments import instrument_of
from trading.engine.orders import OrderRecord
from trading.engine.risk import Denial
from trading.engine.symbols import Symbol


class Scope(StrEnum):
    """What a halt is of. A symbol's lets orders through that only reduce; the others end the runs concerned."""

    ACCOUNT = "account"
    BOT = "bot"
    RUN = "run"
    SYMBOL = "symbol"


#: Where a run belongs: its account, its bot's name and its own id, as far as it has them.
Place = Mapping[Scope, str]


class Halt(msgspec.Struct, frozen=True, array_like=True):
    scope: Scope
    target: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"{self.scope} {self.target} is halted: {self.reason}"


class Halts(msgspec.Struct, frozen=True, dict=True):
    """The halts that stand as of ``epoch``."""

    epoch: int = 0
    halts: tuple[Halt, ...] = ()

    def ending(self, place: Place) -> Halt | None:
        """The halt that ends a run which belongs there."""
        return next((halt for halt in self.halts if place.get(halt.scope) == halt.target), None)

    def of_symbol(self, symbol: str) -> Halt | None:
        """The halt of this symbol, however it is written, or of its underlying. A ticker without a venue may be that of
        any venue."""
        if not self._symbols:
            return None
        option = instrument_of(symbol).option
        names = (symbol,) if option is None else (symbol, option.underlying)
        return next((halt for halt in self._symbols if any(_is_same(name, halt.target) for name in names)), None)

    def refusal(self, order: OrderRecord, place: Place) -> Denial | None:
        """Why this order of a run that belongs there may not leave."""
        if not self.halts:
            return None
        halt = self.ending(place) or (self.of_symbol(order.symbol) if order.collateral else None)
        return None if halt is None else Denial(code="halted", message=halt.sentence)

    @cached_property
    def _symbols(self) -> tuple[Halt, ...]:
        return tuple(halt for halt in self.halts if halt.scope is Scope.SYMBOL)


def _is_same(symbol: str, other: str) -> bool:
    try:
        one, two = Symbol.parse(symbol), Symbol.parse(other)
    except InvalidValue:
        return symbol == other
    return one.letters == two.letters and (one.venue == two.venue or None in (one.venue, two.venue))


NO_HALTS: Final = Halts()


class HaltsFile:
    """The file beside the gate. The gatekeeper alone writes it."""

    def __init__(self, gate: Path) -> None:
        self.path = gate.with_name("halts")
        self._written: tuple[int, tuple[int, int]] | None = None

    def read(self, epoch: int) -> Halts | None:
        """The halts as of ``epoch`` or later; None where the file does not tell them."""
        if not epoch:
            # There never was one.
            return NO_HALTS
        try:
            checksum, body = self.path.read_bytes().split(b"\n", 1)
            if int(checksum, 16) != crc32(body, SEED):
                return None
            halts = msgspec.json.decode(body, type=Halts)
        except (OSError, ValueError, msgspec.DecodeError):
            return None
        return halts if halts.epoch >= epoch else None

    def holds(self, epoch: int) -> bool:
        """Whether this very writer has written ``epoch``, and nobody has touched the file since."""
        return self._written is not None and self._written == (epoch, self._mark())

    def write(self, epoch: int, halts: Iterable[tuple[str, str, str]]) -> None:
        """Replace the file: (scope, target, reason) of each halt. Raises OSError."""
        body = msgspec.json.encode(Halts(epoch, tuple(Halt(Scope(scope), *rest) for scope, *rest in halts)))
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        draft.write_bytes(b"%08x\n" % crc32(body, SEED) + body)
        draft.chmod(0o644)
        draft.replace(self.path)
        self._written = (epoch, self._mark())

    def _mark(self) -> tuple[int, int]:
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return (0, 0)
        return (status.st_ino, status.st_mtime_ns)
