"""What every feed offers to the drivers."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from pydantic import AfterValidator

from trading.engine.bars import Bar, Timeframe
from trading.engine.errors import InvalidValue, TradingError

_PACE: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)x")


class Warming(msgspec.Struct, frozen=True):
    """What a stream says before bars that are past: the next ``bars`` of them fill windows and are not traded at."""

    bars: int


#: Bars as a session takes them; None wakes it, for there is something else to do.
LiveStream = AsyncGenerator[Bar | Warming | None, None]


class FeedError(TradingError):
    """A feed that cannot be used, with the ``file`` and the ``line`` where there is one."""

    def __init__(self, reason: str, file: str = "", line: int | None = None) -> None:
        self.reason = reason
        self.file = file
        self.line = line
        place = file if line is None else f"{file}, line {line}"
        super().__init__(f"{place}: {reason}" if place else reason)


def read_pace(text: str) -> float | None:
    """``max`` is None; ``1x``, ``60x``, ``0.5x`` are bars per bar time. Raises `InvalidValue` for anything else."""
    if text == "max":
        return None
    match = _PACE.fullmatch(text)
    if match is None or not float(match[1]):
        raise InvalidValue(f"{text!r} is no pace: write max, or a factor such as 1x or 60x")
    return float(match[1])


def _readable(text: str) -> str:
    read_pace(text)
    return text


#: How a recipe writes a pace.
Pace = Annotated[str, AfterValidator(_readable)]


class IFeed(ABC):
    """A source of bars for one run.

    Making one reads nothing. `prepare` comes first and raises `FeedError` for whatever would spoil the run later.
    """

    #: The length of a bar, or None while it is unknown or when no `Timeframe` has it.
    timeframe: Timeframe | None = None
    #: Nanoseconds from one bar to the next in regular trading; 0 while unknown.
    interval: int = 0
    #: Bars per bar time: 1 is real time, 60 sixty times as fast, None as fast as they are taken.
    pace: float | None = None
    #: Whether the bars' own stamps are the run's clock.
    event_time: bool = True
    #: Whether the prices are made up.
    synthetic: bool = False
    #: Whether it goes on until it is told to stop.
    endless: bool = False

    def __init__(self, universe: Sequence[str]) -> None:
        self.universe = tuple(universe)

    @abstractmethod
    def prepare(self) -> None:
        """Read and check everything; raises `FeedError`, naming file, line and reason."""

    def glance(self) -> None:
        """Check what can be told in a moment, however much data there is; raises `FeedError`. `prepare` checks all."""
        self.prepare()

    def begin(self, at: int) -> None:  # noqa: B027
        """Hear, before `prepare`, that the run has begun already, with a bar of this stamp (ns). For feeds that begin
        with the day on which they are made."""

    @abstractmethod
    def bars(self) -> Iterator[Bar]:
        """The bars from the first one on, in order of time and, within one time, of the universe."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """What the feed holds, ready for JSON.

        ``bars`` (their number, None when endless), ``symbols``, ``first`` and ``last`` (stamps, ISO 8601, UTC; None
        when unknown), ``timeframe``, ``missing_minutes`` (per symbol, see `trading.feeds.gaps`); of recorded bars also
        what `trading.feeds.survey.summary_of` adds.
        """
