"""Stub venues as places where a recipe trades."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.trading.market import MODEL, PIPELINE
from tests.trading.test_end_to_end import eventually
from tests.venues import tws
from tests.venues.alpaca import AlpacaStub
from tests.venues.serving import serving
from tests.venues.tradier import TradierStub

SYMBOL = "SPY"


class Market(ABC):
    """One stub venue that stands at 100, and what a recipe needs to trade there."""

    #: An argument of the brokerage that the venue does not accept.
    wrong: dict[str, Any]

    def __init__(self, stub: Any) -> None:
        self.stub = stub
        self.minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
        stub.trade(SYMBOL, "100")

    @property
    @abstractmethod
    def feed(self) -> dict[str, Any]: ...

    @property
    @abstractmethod
    def brokerage(self) -> dict[str, Any]: ...

    #: The recipe in configs/paper, and the first symbol of its universe.
    shipped: tuple[str, str]

    @property
    def addresses(self) -> dict[str, str]:
        return {}

    @abstractmethod
    def bar(self, close: float, symbol: str = SYMBOL) -> None:
        """Let the next minute's bar come."""

    def fall(self, symbol: str) -> None:
        """An hour of little ups and downs, and then a fall."""
        for minute in range(65):
            self.bar(95.0 if minute == 64 else 100.0 + minute % 2 / 10, symbol)

    def drop(self) -> None:
        """Lose every stream of the venue."""
        self.stub.call(self.stub.drop_streams)

    def journal(self, kind: str) -> list[dict[str, Any]]:
        return list(self.stub.book.journal.of(kind))

    def orders_once(self, count: int) -> list[dict[str, Any]]:
        """The venue's orders, once it has so many; bars come until then."""

        def look() -> Any:
            self.bar(100.0)
            found = self.journal("order")
            return len(found) >= count and found

        found: list[dict[str, Any]] = eventually(look)
        return found

    def recipe(self, strategy: dict[str, Any], name: str, **changed: Any) -> dict[str, Any]:
        feed, brokerage = self.feed, self.brokerage
        brokerage["kwargs"] |= changed
        session = {"model_urn": MODEL, "pipeline_urn": PIPELINE}
        parts = {"strategy": strategy, "feed": feed, "brokerage": brokerage, "session": session}
        # The stub's market is open whatever the day, the exchange's calendar knows nothing of it.
        return {"name": name, "universe": [SYMBOL], "risk": {"trade_when_closed": True}, **parts}


class Alpaca(Market):
    wrong = {"api_key": "wrong"}
    shipped = ("configs/paper/alpaca_mean_rev.yaml", "AAPL")

    @property
    def addresses(self):
        urls = {"BASE_URL": self.stub.url, "STREAM_URL": f"{self.stub.socket_url}/stream", "DATA_URL": self.stub.url}
        return {f"ALPHASWARM_ALPACA_{name}": url for name, url in urls.items()}

    @property
    def feed(self):
        return {"class": "AlpacaFeed", "kwargs": {"data_url": self.stub.url}}

    @property
    def brokerage(self):
        urls = {"base_url": self.stub.url, "stream_url": f"{self.stub.socket_url}/stream"}
        return {"class": "AlpacaBrokerage", "kwargs": urls}

    def bar(self, close, symbol=SYMBOL):
        self.minute += timedelta(minutes=1)
        self.stub.call(self.stub.bar, symbol, self.minute, (close, close, close, close))


class Tws(Market):
    wrong = {"client_id": 7}
    shipped = ("configs/paper/ibkr_mean_rev.yaml", "SPY")

    @property
    def addresses(self):
        return {"ALPHASWARM_IBKR_PORT": str(self.stub.port)}

    @property
    def feed(self):
        return {"class": "IBKRFeed", "kwargs": {"port": self.stub.port}}

    @property
    def brokerage(self):
        return {"class": "InteractiveBrokersBrokerage", "kwargs": {"port": self.stub.port}}

    def bar(self, close, symbol=SYMBOL):
        self.minute += timedelta(minutes=1)
        last_part = int(self.minute.timestamp()) + 55
        self.stub.call(self.stub.five_second_bar, symbol, last_part, (close, close, close, close), 100)

    def drop(self):
        self.stub.call(lambda: [client.drop() for client in list(self.stub.clients)])


class Tradier(Market):
    """Its minutes are asked for, and given out when they are over."""

    wrong = {"token": "wrong"}
    shipped = ("configs/paper/tradier_rest_baseline.yaml", "MSFT")

    def __init__(self, stub: TradierStub) -> None:
        super().__init__(stub)
        for minute in range(-3, 5):
            self._add(SYMBOL, minute, 100.0)

    def _add(self, symbol: str, minute: int, close: float) -> None:
        """A bar that starts so many minutes from now."""
        now = datetime.now(ZoneInfo("America/New_York")).replace(second=0, microsecond=0, tzinfo=None)
        row = {"open": close, "high": close, "low": close, "close": close, "volume": 100}
        self.stub.series.setdefault(symbol, []).append({"time": (now + timedelta(minutes=minute)).isoformat(), **row})

    @property
    def addresses(self):
        return {"ALPHASWARM_TRADIER_BASE_URL": f"{self.stub.url}/v1"}

    @property
    def feed(self):
        return {"class": "TradierFeed", "kwargs": {"base_url": f"{self.stub.url}/v1", "poll_seconds": 0.5}}

    @property
    def brokerage(self):
        return {"class": "TradierBrokerage", "kwargs": {"base_url": f"{self.stub.url}/v1"}}

    def bar(self, close, symbol=SYMBOL):
        """They come by themselves."""

    def fall(self, symbol):
        """The hour lies in the past that a session asks for as it begins; the fall comes once it has."""
        if symbol not in self.stub.series:
            for minute in range(-70, -1):
                self._add(symbol, minute, 100.0 + minute % 2 / 10)
        if len({since for asked, since in self.stub.asked if asked == symbol}) >= 2:
            self._add(symbol, -1, 95.0)


@contextmanager
def open_market(name: str) -> Iterator[Market]:
    if name == "ibkr":
        with tws.serving(tws.TwsStub()) as stub:
            yield Tws(stub)
    else:
        with serving(AlpacaStub() if name == "alpaca" else TradierStub()) as stub:
            yield Alpaca(stub) if name == "alpaca" else Tradier(stub)
