"""What every system is given: seeded bars, two strategies, and the result that they must have. Needs numpy alone.

All prices are eighths, so that sums and differences of them are exact in floats and results can be compared for being
equal. The moving-average strategy is long while SMA(10) > SMA(30) at the close and flat once it is under it; equal
averages change nothing. The z-score strategy buys when the close is `ENTRY` standard deviations (population) off the
mean of the last 60 closes and sells once it is above the mean. Orders are market orders for 100 shares.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FAST, SLOW = 10, 30
WINDOW, ENTRY, EXIT = 60, -2.0123, 0.0
QTY = 100
TICK = 0.125
MINUTE = 60_000_000_000
#: 2023-01-02, midnight UTC, in nanoseconds.
START = 1_672_617_600_000_000_000
FIELDS = ("open", "high", "low", "close", "volume")

_SIGMA = 5e-4
_FILE_BARS = {"one": 2_000_000, "many": 20_000}
_SYMBOLS = {"one": 1, "many": 50}


class Outcome(NamedTuple):
    """Fills, and the equity at the last close."""

    fills: int
    equity: float


@dataclass(frozen=True)
class Case:
    """A workload: ``bars`` of each symbol in the ``data`` file."""

    name: str
    title: str
    data: str
    bars: int
    cash: float
    z_score: bool = False

    @property
    def symbols(self) -> list[str]:
        return [f"S{number:02}" for number in range(_SYMBOLS[self.data])]


CASES = {
    case.name: case
    for case in (
        Case("w1", "one symbol, 100,000 bars, moving-average cross", "one", 100_000, 1e6),
        Case("w1-500k", "one symbol, 500,000 bars, moving-average cross", "one", 500_000, 1e6),
        Case("w1-2m", "one symbol, 2,000,000 bars, moving-average cross", "one", 2_000_000, 1e6),
        Case("w2", "50 symbols, 20,000 bars each, merged in time, moving-average cross", "many", 20_000, 1e7),
        Case("w3", "one symbol, 200,000 bars, z-score of 60 closes", "one", 200_000, 1e6, z_score=True),
    )
}


class Work:
    """A case, cut to ``count`` bars per symbol, and its bars, which are read when they are asked for."""

    def __init__(self, folder: Path, case: Case, count: int, variant: str = "") -> None:
        self.folder = folder
        self.case = case
        self.count = min(count, case.bars)
        self.variant = variant
        self.symbols = case.symbols

    @property
    def bars(self) -> int:
        return self.count * len(self.symbols)

    @property
    def times(self) -> NDArray[np.int64]:
        return START + MINUTE * np.arange(self.count, dtype=np.int64)

    def arrays(self) -> NDArray[np.float64]:
        """Of shape (symbols, bars, fields)."""
        return np.array(np.load(self.folder / f"{self.case.data}.npy", mmap_mode="r")[:, : self.count])

    def expected(self) -> dict[str, Outcome]:
        """What comes out, by where an order fills that was decided at a close."""
        bars = self.arrays()
        return {
            convention: self._traded(bars, price, later)
            for convention, price, later in (("next open", 0, 1), ("same close", 3, 0), ("next close", 3, 1))
        }

    def _traded(self, bars: NDArray[np.float64], price: int, later: int) -> Outcome:
        fills, equity = 0, self.case.cash
        for of_symbol in bars:
            held, closes, prices = 0, of_symbol[:, 3].tolist(), of_symbol[:, price].tolist()
            for at, qty in signals(closes, self.case.z_score):
                if at + later < len(closes):
                    equity -= qty * prices[at + later]
                    held += qty
                    fills += 1
            equity += held * closes[-1]
        return Outcome(fills, equity)


def signals(closes: Sequence[float], z_score: bool) -> Iterator[tuple[int, int]]:
    """The bar's number and the signed quantity of each order."""
    held = False
    for at, above in _z_scores(closes) if z_score else _crosses(closes):
        entering = above < ENTRY if z_score else above > 0
        leaving = above > EXIT if z_score else above < 0
        if entering and not held:
            held = True
            yield at, QTY
        elif leaving and held:
            held = False
            yield at, -QTY


def _crosses(closes: Sequence[float]) -> Iterator[tuple[int, float]]:
    fast = slow = 0.0
    for at, close in enumerate(closes):
        fast += close
        slow += close
        if at >= FAST:
            fast -= closes[at - FAST]
        if at >= SLOW:
            slow -= closes[at - SLOW]
        if at >= SLOW - 1:
            yield at, fast / FAST - slow / SLOW


def _z_scores(closes: Sequence[float]) -> Iterator[tuple[int, float]]:
    total = squares = 0.0
    for at, close in enumerate(closes):
        total += close
        squares += close * close
        if at >= WINDOW:
            total -= closes[at - WINDOW]
            squares -= closes[at - WINDOW] ** 2
        mean = total / WINDOW
        variance = squares / WINDOW - mean * mean
        if at >= WINDOW - 1 and variance > 0:
            yield at, (close - mean) / math.sqrt(variance)


def make_files(folder: Path) -> None:
    """Write the bars, once."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in _FILE_BARS.items():
        path = folder / f"{name}.npy"
        if not path.exists():
            np.save(path, np.stack([walk(count, seed) for seed in range(7, 7 + _SYMBOLS[name])]))


def walk(count: int, seed: int) -> NDArray[np.float64]:
    """A random walk of minute bars, of shape (bars, fields); opens are a little off the close before."""
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.normal(0.0, _SIGMA, count)) - 0.5 * _SIGMA**2 * np.arange(count)
    close = np.round(1000.0 * np.exp(steps) / TICK) * TICK
    opening = np.concatenate(([1000.0], close[:-1])) + random.integers(-2, 3, count) * TICK
    high = np.maximum(opening, close) + random.integers(0, 4, count) * TICK
    low = np.minimum(opening, close) - random.integers(0, 4, count) * TICK
    volume = random.integers(100_000, 1_000_000, count).astype(float)
    return np.column_stack((opening, high, low, close, volume))
