"""What sizing remembers of a run: the last closes of its symbols, and how its trades ended."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from math import inf

import msgspec

from trading.engine.instruments import instrument_of
from trading.engine.orders import Side
from trading.engine.records import Fill


class Closes(msgspec.Struct):
    """The last closes of one symbol and the stamps of their bars (ns)."""

    prices: deque[float]
    times: deque[int]

    @classmethod
    def of(cls, most: int) -> Closes:
        return cls(deque(maxlen=most), deque(maxlen=most))

    def take(self, price: float, time: int) -> None:
        self.prices.append(price)
        self.times.append(time)


class Ends(msgspec.Struct):
    """Trades that ended alike, by their returns (without sign): how many, their sum and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, size: float) -> None:
        self.count += 1
        self.total += size
        self.squares += size * size

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def error(self) -> float:
        """The relative variance of the mean, (s / mean)^2 / n with the sample deviation s; infinite below two."""
        if self.count < 2 or not self.mean:
            return inf
        variance = max(self.squares - self.count * self.mean**2, 0.0) / (self.count - 1)
        return variance / self.mean**2 / self.count


class Trade(msgspec.Struct):
    """A round trip under way in one symbol: money put in, and earned so far, fees paid.

    ``realized`` is the symbol's profit before fees as the last fill left it.
    """

    realized: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    earned: Decimal = Decimal(0)


class Memory(msgspec.Struct):
    """By symbol: closes and round trips under way; of the whole run: trades that won and trades that did not.

    A round trip is from flat to flat, or to the other side; its return is what it earned after fees over the money that
    its opening fills were worth.
    """

    closes: dict[str, Closes] = {}
    trades: dict[str, Trade] = {}
    won: Ends = msgspec.field(default_factory=Ends)
    lost: Ends = msgspec.field(default_factory=Ends)

    def book(self, fill: Fill) -> None:
        """Take one fill of the run."""
        trade = self.trades.get(fill.symbol)
        if trade is None:
            trade = self.trades[fill.symbol] = Trade()
        signed = fill.qty if fill.side is Side.BUY else -fill.qty
        before = fill.position_qty - signed
        closed = min(abs(before), fill.qty) if before and (before > 0) != (signed > 0) else Decimal(0)
        if closed:
            trade.earned += fill.realized_pnl - trade.realized - fill.fee * closed / fill.qty
            trade.realized = fill.realized_pnl
            if closed == abs(before):
                self._end(trade)
        opened = fill.qty - closed
        if opened:
            trade.paid += opened * fill.price * instrument_of(fill.symbol).multiplier
            trade.earned -= fill.fee * opened / fill.qty

    def _end(self, trade: Trade) -> None:
        if trade.paid:
            gain = float(trade.earned / trade.paid)
            (self.won if gain > 0 else self.lost).add(abs(gain))
        trade.paid = trade.earned = Decimal(0)
