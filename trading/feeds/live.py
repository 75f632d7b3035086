"""Feeds of live markets: the shell that turns what a venue sends, in whatever thread, into a session's stream."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Protocol

from brokers.alpaca.feed import AlpacaBars
from brokers.ibkr.feed import IbkrBars
from brokers.tradier.feed import TradierBars
from trading.engine.bars import NANOS_PER_SECOND, Bar, Timeframe, to_nanos
from trading.feeds.base import FeedError, IFeed, LiveStream, Warming
from trading.feeds.building import BarBuilder, can_be
from trading.feeds.cache import BarCache
from trading.feeds.past import History, Past, past_of
from trading.feeds.signs import FeedSigns

log = logging.getLogger(__name__)

#: How long after a bar's end a part of it may still come.
LATE_SECONDS: Final = 3
_QUIET_SECONDS: Final = 1.0
_TURN_SECONDS: Final = 0.5
#: How long bars may not be flowing before the feed counts as lost, and how often its cache is then looked at.
LOST_SECONDS: Final = 30.0
_CACHE_SECONDS: Final = 2.0
MOST_PAST: Final = 5_000


class BarSource(History, Protocol):
    """A venue's bars. ``step`` is their length in nanoseconds; ``healthy`` whether they are flowing; ``halted`` are the
    symbols that the venue says do not trade, and why."""

    step: int

    @property
    def halted(self) -> dict[str, str]: ...

    @property
    def healthy(self) -> bool: ...

    def start(self, symbols: Sequence[str], take: Callable[[Bar], None]) -> None:
        """Begin to send bars to ``take``, from any thread; raises `trading.engine.errors.VenueError`."""

    def stop(self) -> None: ...


class LiveFeed(IFeed):
    """Bars as they happen. The clock on the wall is the run's clock, and the feed ends when the session does.

    A feed whose bars do not flow for ``lost_after_seconds`` is lost: `signs` says so, and nothing new is opened until
    they are back. With ``cache`` (a Parquet file or folder that another program keeps) the session goes on meanwhile
    with the bars that it finds there, later than those it has seen.

    Before the first live bar come ``warm_up`` past ones of each symbol, by default as many as the strategy looks back
    on: they fill its windows and are not traded at. A run that goes on is shown what it has missed instead, see `seen`.
    """

    event_time = False
    endless = True
    pace = 1.0
    shortest: ClassVar[Timeframe] = Timeframe.MINUTE

    def __init__(
        self,
        universe: Sequence[str],
        timeframe: Timeframe,
        cache: str = "",
        lost_after_seconds: float = LOST_SECONDS,
        warm_up: int | None = None,
    ) -> None:
        super().__init__(universe)
        self.signs = FeedSigns()
        self.timeframe = self._bars_of = Timeframe(timeframe)
        self.interval = self.timeframe.nanos
        if self.timeframe.nanos < self.shortest.nanos:
            raise FeedError(f"timeframe {self.timeframe} is shorter than {self.shortest}, the shortest of this venue")
        if not lost_after_seconds > 0:
            raise FeedError(f"lost_after_seconds must be more than zero, not {lost_after_seconds}")
        if warm_up is not None and not 0 <= warm_up <= MOST_PAST:
            raise FeedError(f"warm_up must be from 0 to {MOST_PAST} bars, not {warm_up}")
        self._warm_up = warm_up
        self._lost_after = lost_after_seconds
        self._cache = BarCache(cache, self.universe, self.interval) if cache else None
        self._last = dict.fromkeys(self.universe, -1)
        self._began = 0
        self._look_at = self._healthy_at = 0.0

    @abstractmethod
    def source(self) -> BarSource:
        """The venue's bars; making it contacts nobody."""

    def prepare(self) -> None:
        """Nothing is read ahead: before the gate has opened, no venue is contacted."""

    def bars(self) -> Iterator[Bar]:
        raise FeedError(
            f"{type(self).__name__} is live; a backtest needs recorded bars: use ReplayFeed, or --data FILE"
        )

    def summary(self) -> dict[str, Any]:
        return {
            "bars": None,
            "symbols": list(self.universe),
            "first": None,
            "last": None,
            "timeframe": self.timeframe,
            "missing_minutes": dict.fromkeys(self.universe, 0),
        }

    def seen(self, last: Mapping[str, int]) -> None:
        """The run goes on and has seen the bars up to these, by their stamps (ns)."""
        self._last.update(last)

    async def stream(self, wake: asyncio.Event, history: int = 0) -> LiveStream:
        """The bars from now on, and None whenever ``wake`` is set; before them those that are past, where the recipe,
        or a strategy that looks back on ``history`` bars, wants them. Raises what the venue raises at the start."""
        loop = asyncio.get_running_loop()
        parts: asyncio.Queue[Bar] = asyncio.Queue()
        source = self.source()
        builder = BarBuilder(source.step, self.interval)
        self._began = to_nanos(datetime.now(UTC))
        self._healthy_at = time.monotonic()
        await asyncio.to_thread(source.start, self.universe, _taker(loop, parts))
        count = history if self._warm_up is None else self._warm_up
        asking = asyncio.ensure_future(asyncio.to_thread(self._past, source, count))
        try:
            while not await _is_done(asking, wake):
                yield None
            past = asking.result()
            if past is not None:
                before = list(self._new(past.over))
                yield Warming(len(before))
                for bar in before:
                    yield bar
                for part in past.begin(builder, [parts.get_nowait() for _ in range(parts.qsize())]):
                    parts.put_nowait(part)
            while True:
                done = await self._next(parts, wake, builder)
                if self._is_lost(source):
                    done += await self._cached()
                if wake.is_set():
                    yield None
                for bar in self._new(done):
                    yield bar
        finally:
            asking.cancel()
            await asyncio.to_thread(source.stop)

    def _past(self, source: BarSource, count: int) -> Past | None:
        """The bars before the live ones; None where nobody wants them."""
        if not count and max(self._last.values()) < 0:
            return None
        return past_of(source, self.universe, self._bars_of, count, self._last)

    def _is_lost(self, source: BarSource) -> bool:
        """Whether the bars have not been flowing for too long; says so, and what does not trade, in `signs`."""
        now = time.monotonic()
        self.signs.halted = source.halted
        if source.healthy:
            self._healthy_at = now
        is_lost = now - self._healthy_at > self._lost_after
        if is_lost != bool(self.signs.lost):
            means = "bars come from the cache" if self._cache is not None else "no bars come"
            self.signs.lost = f"the feed of live bars is lost; {means} until it is back" if is_lost else ""
        return is_lost

    async def _cached(self) -> list[Bar]:
        if self._cache is None or time.monotonic() < self._look_at:
            return []
        self._look_at = time.monotonic() + _CACHE_SECONDS
        seen = {symbol: last if last >= 0 else self._began - self.interval for symbol, last in self._last.items()}
        return await asyncio.to_thread(self._cache.after, seen, to_nanos(datetime.now(UTC)))

    def _new(self, bars: Sequence[Bar]) -> Iterator[Bar]:
        """Those that are later than what was seen of their symbol: a bar may come from the cache and from the venue."""
        for bar in bars:
            if bar.time > self._last[bar.symbol]:
                self._last[bar.symbol] = bar.time
                yield bar

    async def _next(self, parts: asyncio.Queue[Bar], wake: asyncio.Event, builder: BarBuilder) -> list[Bar]:
        """Wait for a part, a wake-up or a moment; the bars that are complete by then, in the universe's order."""
        getting = asyncio.ensure_future(parts.get())
        waking = asyncio.ensure_future(wake.wait())
        done: list[Bar] = []
        try:
            await asyncio.wait((getting, waking), timeout=_TURN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                done += builder.take(getting.result())
        finally:
            getting.cancel()
            waking.cancel()
        while not parts.empty():
            done += builder.take(parts.get_nowait())
        done += builder.flush(to_nanos(datetime.now(UTC)) - LATE_SECONDS * NANOS_PER_SECOND, _QUIET_SECONDS)
        rank = {symbol: place for place, symbol in enumerate(self.universe)}
        return sorted(done, key=lambda bar: (bar.time, rank.get(bar.symbol, 0)))


async def _is_done(asking: asyncio.Future[Any], wake: asyncio.Event) -> bool:
    """Whether the answer is there; waits for it, or for ``wake``."""
    waking = asyncio.ensure_future(wake.wait())
    await asyncio.wait((asking, waking), return_when=asyncio.FIRST_COMPLETED)
    waking.cancel()
    return asking.done()


def _taker(loop: asyncio.AbstractEventLoop, parts: asyncio.Queue[Bar]) -> Callable[[Bar], None]:
    def take(bar: Bar) -> None:
        if not can_be(bar):
            log.warning("a bar of %s that cannot be is left out: %s", bar.symbol, bar)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(parts.put_nowait, bar)

    return take


class AlpacaFeed(LiveFeed):
    """Alpaca's minute bars, longer ones built of them; what a lost connection has missed is asked for.

    ``feed`` is ``iex`` (free), ``sip`` or ``test``. ``data_url`` is where the market data is, by socket or by HTTP; the
    URLs of trading are taken, so that one set of variables serves both, and not needed.
    """

    def __init__(
        self,
        universe: Sequence[str],
        timeframe: Timeframe = Timeframe.MINUTE,
        api_key: str = "",
        secret_key: str = "",
        feed: str = "iex",
        data_url: str = "",
        base_url: str = "",
        stream_url: str = "",
        cache: str = "",
        lost_after_seconds: float = LOST_SECONDS,
        warm_up: int | None = None,
    ) -> None:
        super().__init__(universe, timeframe, cache, lost_after_seconds, warm_up)
        self._arguments = (api_key, secret_key, feed, data_url)

    def source(self) -> BarSource:
        return AlpacaBars(*self._arguments)


class IBKRFeed(LiveFeed):
    """Interactive Brokers' five-second bars, longer ones built of them; its client id is the broker's plus 100."""

    def __init__(
        self,
        universe: Sequence[str],
        timeframe: Timeframe = Timeframe.MINUTE,
        host: str = "127.0.0.1",
        port: int = 7497,
        client_id: int = 1,
        exchange: str = "SMART",
        currency: str = "USD",
        cache: str = "",
        lost_after_seconds: float = LOST_SECONDS,
        warm_up: int | None = None,
    ) -> None:
        super().__init__(universe, timeframe, cache, lost_after_seconds, warm_up)
        self._arguments = (host, port, client_id + 100, exchange, currency)

    def source(self) -> BarSource:
        return IbkrBars(*self._arguments)


class TradierFeed(LiveFeed):
    """Tradier's minute bars by its time-and-sales call, asked for each few seconds.

    ``stream_url`` is the brokerage's, and taken so that one set of variables serves both.
    """

    def __init__(
        self,
        universe: Sequence[str],
        timeframe: Timeframe = Timeframe.MINUTE,
        token: str = "",
        base_url: str = "",
        stream_url: str = "",
        paper: bool = True,
        poll_seconds: float = 5.0,
        cache: str = "",
        lost_after_seconds: float = LOST_SECONDS,
        warm_up: int | None = None,
    ) -> None:
        super().__init__(universe, timeframe, cache, lost_after_seconds, warm_up)
        self._arguments = (token, base_url, paper, poll_seconds)

    def source(self) -> BarSource:
        return TradierBars(*self._arguments)
