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
from tests.venues import alpaca, tradier, tws
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

    #: The request that places an order.
    orders: str
    #: What the venue lets its client in by, by the adapter's arguments.
    secrets: dict[str, str]

    @property
    def addresses(self) -> dict[str, str]:
        return {}

    @abstractmethod
    def bar(self, close: float, symbol: str = SYMBOL) -> None:
        """Let the next minute's bar come."""

    def fall(self, symbol: str) -> None:
        """An hour of little ups and downs lies in the past that a session asks for as it begins; once it has, a fall
        comes. To be called until it has come to what is waited for."""
        if not self.knows(symbol):
            for back in range(70, 1, -1):
                self.keep(symbol, back, 100.0 + back % 2 / 10)
        elif self.was_asked(symbol):
            self.happens(symbol, 95.0)

    @abstractmethod
    def knows(self, symbol: str) -> bool:
        """Whether there are recorded bars."""

    @abstractmethod
    def keep(self, symbol: str, back: int, close: float) -> None:
        """Record a bar that began so many minutes ago."""

    @abstractmethod
    def was_asked(self, symbol: str) -> bool:
        """Whether a session has its past bars."""

    @abstractmethod
    def happens(self, symbol: str, close: float) -> None:
        """Let the bar of the minute that is just over come."""

    def answer_late(self, seconds: float) -> None:
        """Take each new order at once, and say so later."""
        self.stub.faults.plan("delay", times=1_000, where=self.orders, seconds=seconds)

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
    secrets = {"api_key": alpaca.KEY, "secret_key": alpaca.SECRET}
    orders = "POST /v2/orders"

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

    def knows(self, symbol):
        return symbol in self.stub.history

    def keep(self, symbol, back, close):
        self.stub.call(self.stub.bar, symbol, ago(back), (close, close, close, close))

    def was_asked(self, symbol):
        return symbol in self.stub.asked

    def happens(self, symbol, close):
        self.keep(symbol, 1, close)


class Tws(Market):
    wrong = {"client_id": 7}
    shipped = ("configs/paper/ibkr_mean_rev.yaml", "SPY")
    secrets = {}
    orders = "place"

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
        self._last_part(self.minute, symbol, close)

    def _last_part(self, minute, symbol, close):
        epoch = int(minute.timestamp()) + 55
        self.stub.call(self.stub.five_second_bar, symbol, epoch, (close, close, close, close), 100)

    def knows(self, symbol):
        return symbol in self.stub.history

    def keep(self, symbol, back, close):
        row = (int(ago(back).timestamp()), close, close, close, close, 100, close, 1)
        self.stub.history.setdefault(symbol, []).append(row)

    def was_asked(self, symbol):
        return any(fields[3] == symbol for fields in list(self.stub.history_calls))

    def happens(self, symbol, close):
        self._last_part(ago(1), symbol, close)

    def drop(self):
        self.stub.call(lambda: [client.drop() for client in list(self.stub.clients)])


class Tradier(Market):
    """Its minutes are asked for, and given out when they are over."""

    wrong = {"token": "wrong"}
    shipped = ("configs/paper/tradier_rest_baseline.yaml", "MSFT")
    secrets = {"token": tradier.TOKEN, "account_id": tradier.ACCOUNT}
    orders = f"POST /v1/accounts/{tradier.ACCOUNT}/orders"

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

    def knows(self, symbol):
        return symbol in self.stub.series

    def keep(self, symbol, back, close):
        self._add(symbol, -back, close)

    def was_asked(self, symbol):
        """First it is asked for the last minutes, then for those before."""
        return len({since for asked, since in list(self.stub.asked) if asked == symbol}) >= 2

    def happens(self, symbol, close):
        self._add(symbol, -1, close)


def ago(minutes: int) -> datetime:
    """The start of the minute so many minutes ago."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes)


@contextmanager
def open_market(name: str) -> Iterator[Market]:
    if name == "ibkr":
        with tws.serving(tws.TwsStub()) as stub:
            yield Tws(stub)
    else:
        with serving(AlpacaStub() if name == "alpaca" else TradierStub()) as stub:
            yield Alpaca(stub) if name == "alpaca" else Tradier(stub)
