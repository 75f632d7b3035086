"""The prices that a run traded on, for its charts: from its recorded bars, or read from its feed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import takewhile
from typing import Final, NamedTuple
from uuid import UUID

from trading.connections import connect
from trading.engine.bars import Bar
from trading.engine.errors import TradingError
from trading.feeds.survey import changes
from trading.ledger.bars import read_bars
from trading.models import EquityCurve, Mode, Run, RunBars
from trading.parts import assemble
from trading.recipes import parse

#: A chart is no clearer for more candles than this.
MOST_CANDLES: Final = 500
_KEPT: Final = 16


class Candle(NamedTuple):
    """``time`` is the start, in seconds."""

    time: float
    open: float
    high: float
    low: float
    close: float


class Prices(NamedTuple):
    """The bars of one symbol, and what is to be said of them; nothing where they are the very bars of the run."""

    candles: list[Candle]
    note: str = ""


class NoPrices(TradingError):
    """The prices of a run cannot be had any more; says why."""


def prices_of(run: Run, symbol: str) -> Prices:
    """A symbol's bars over the run, merged into at most 500 of one number of bars each. Raises `NoPrices`."""
    if run.ended_at is None:
        return _read(run, symbol)
    return _remembered(run.pk, symbol)


@lru_cache(maxsize=_KEPT)
def _remembered(run_id: UUID, symbol: str) -> Prices:
    return _read(Run.objects.get(pk=run_id), symbol)


def _read(run: Run, symbol: str) -> Prices:
    if RunBars.objects.filter(run=run).exists():
        with connect() as database:
            return Prices(merged(bar for bar in read_bars(database, run.pk) if bar.symbol == symbol))
    if run.mode != Mode.BACKTEST:
        return Prices([])
    try:
        parts = assemble(parse(run.recipe))
        parts.prepare()
    except TradingError as error:
        raise NoPrices(f"The bars of this run cannot be read again: {error}") from error
    changed = changes(run.metrics.get("feed") or {}, parts.feed.summary())
    note = f"These are not the bars that it ran on: {changed}." if changed else ""
    return Prices(merged(bar for bar in _up_to_the_end(run, parts.bars()) if bar.symbol == symbol), note)


def _up_to_the_end(run: Run, bars: Iterator[Bar]) -> Iterator[Bar]:
    """The bars up to the run's last one."""
    curve = EquityCurve.objects.filter(pk=run.pk).first()
    if curve is None:
        return iter(())
    last = int.from_bytes(bytes(curve.times[-8:]), "little", signed=True)
    return takewhile(lambda bar: bar.time <= last, bars)


def merged(bars: Iterable[Bar], most: int = MOST_CANDLES) -> list[Candle]:
    """Whenever there are twice too many, neighbours become one: memory is bounded, and all candles but the last hold
    the same number of bars."""
    candles: list[Candle] = []
    held, size = 0, 1
    for bar in bars:
        if held:
            _, opening, high, low, _ = candles[-1]
            candles[-1] = Candle(candles[-1].time, opening, max(high, bar.high), min(low, bar.low), bar.close)
        else:
            if len(candles) == 2 * most:
                candles = _paired(candles)
                size *= 2
            candles.append(Candle(bar.time / 1e9, bar.open, bar.high, bar.low, bar.close))
        held = (held + 1) % size
    while len(candles) > most:
        candles = _paired(candles)
    return candles


def _paired(candles: list[Candle]) -> list[Candle]:
    return [_joined(candles[at : at + 2]) for at in range(0, len(candles), 2)]


def _joined(part: list[Candle]) -> Candle:
    first, last = part[0], part[-1]
    return Candle(first.time, first.open, max(first.high, last.high), min(first.low, last.low), last.close)
