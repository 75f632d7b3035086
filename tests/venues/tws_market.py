"""What the TWS stub tells of the market: listings, bars as they happen, recorded bars, and halts."""

from __future__ import annotations

import time
from collections import deque
from decimal import Decimal
from typing import Any, Protocol

from tests.venues import tws_messages as messages
from tests.venues.book import Book

#: So many questions for recorded bars in so many seconds, and none twice within so many.
HISTORY_CALLS, HISTORY_SECONDS, SAME_SECONDS = 60, 600.0, 15.0

Prices = tuple[float, float, float, float]


class Listener(Protocol):
    """A connection, and the symbols of its subscriptions by their numbers."""

    bars: dict[str, str]
    ticks: dict[str, str]

    def send(self, *fields: Any) -> None: ...


class MarketData:
    """``listings`` are the exchanges of tickers that are listed at several; ``history`` the recorded bars of symbols,
    oldest first, each (epoch or day, open, high, low, close, volume, average, count)."""

    book: Book

    def __init__(self) -> None:
        self.clients: set[Any] = set()
        self.listings: dict[str, list[str]] = {}
        self.history: dict[str, list[tuple[Any, ...]]] = {}
        self.history_calls: list[list[str]] = []
        self._asked: deque[tuple[float, list[str]]] = deque()

    def five_second_bar(self, symbol: str, epoch: int, prices: Prices, volume: int) -> None:
        for client in list(self.clients):
            for request, wanted in client.bars.items():
                if wanted == symbol:
                    client.send(50, 3, request, epoch, *prices, volume, prices[3], 1)

    def minute(self, symbol: str, start: int, prices: Prices, volume: int = 1200) -> None:
        """A whole minute from ``start`` (epoch): its trades in five-second bars, and the bar that is recorded of it."""
        opened, high, low, close = prices
        for price in (low, high, close):
            self.book.trade(symbol, Decimal(str(price)))
        for number in range(12):
            first, last = opened if number == 0 else close, close if number else low
            self.five_second_bar(symbol, start + 5 * number, (first, high, low, last), volume // 12)
        self.history.setdefault(symbol, []).append((start, *prices, volume, close, 1))

    def halt(self, symbol: str, code: int) -> None:
        """Halt a symbol (1), also for its volatility (2), or let it trade again (0)."""
        if code:
            self.book.halted.add(symbol)
        else:
            self.book.halted.discard(symbol)
        for client in list(self.clients):
            for request, wanted in client.ticks.items():
                if wanted == symbol:
                    client.send(45, 6, request, 49, code)

    def lose_subscriptions(self) -> None:
        """What a client had asked for is told no more, as after code 1101."""
        for client in list(self.clients):
            client.bars.clear()
            client.ticks.clear()

    def _on_9(self, client: Listener, fields: list[str]) -> None:
        """reqContractDetails"""
        symbol, primary = fields[4], fields[11]
        listed = self.listings.get(symbol, [""])
        found = [one for one in listed if primary in ("", one) or one == ""]
        if symbol not in self.book.last or not found:
            client.send(*messages.error(int(fields[2]), 200, "No security definition has been found for the request"))
            return
        for exchange in found:
            client.send(*messages.contract_details(int(fields[2]), symbol, exchange or "NASDAQ"))
        client.send(52, 1, fields[2])

    def _on_20(self, client: Listener, fields: list[str]) -> None:
        """reqHistoricalData"""
        now, request = time.monotonic(), int(fields[1])
        while self._asked and now - self._asked[0][0] > HISTORY_SECONDS:
            self._asked.popleft()
        same = any(was == fields[2:] and now - at < SAME_SECONDS for at, was in self._asked)
        if same or len(self._asked) >= HISTORY_CALLS:
            text = "Historical Market Data Service error message:API historical data query pacing violation"
            client.send(*messages.error(request, 162, text))
            return
        self._asked.append((now, fields[2:]))
        self.history_calls.append(fields)
        rows = self.history.get(fields[3])
        if rows is None:
            text = "Historical Market Data Service error message:HMDS query returned no data"
            client.send(*messages.error(request, 162, text))
        else:
            client.send(17, fields[1], "", "", len(rows), *[field for row in rows for field in row])

    def _on_1(self, client: Listener, fields: list[str]) -> None:
        """reqMktData"""
        client.ticks[fields[2]] = fields[4]
        client.send(45, 6, fields[2], 49, int(fields[4] in self.book.halted))

    def _on_2(self, client: Listener, fields: list[str]) -> None:
        client.ticks.pop(fields[2], None)

    def _on_50(self, client: Listener, fields: list[str]) -> None:
        """reqRealTimeBars"""
        client.bars[fields[2]] = fields[4]

    def _on_51(self, client: Listener, fields: list[str]) -> None:
        client.bars.pop(fields[2], None)
