"""Live feeds against stub venues: the bars of a session's stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.venues import tws
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.serving import serving
from tests.venues.tradier import TOKEN, TradierStub
from trading.engine.bars import Bar, Timeframe, to_nanos
from trading.engine.errors import Fatal
from trading.engine.risk import Denial
from trading.feeds.base import FeedError
from trading.feeds.live import AlpacaFeed, IBKRFeed, LiveFeed, TradierFeed

PRICES = (1.0, 2.0, 0.5, 1.5)


def minute(back: int) -> datetime:
    """A minute's start, so many minutes ago."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=back)


async def bars_of(feed: LiveFeed, count: int, act: Callable[[], object]) -> list[Bar]:
    """The first bars of a stream, once ``act`` has moved the market."""
    wake = asyncio.Event()
    acting = asyncio.create_task(asyncio.to_thread(act))
    found: list[Bar] = []
    async with asyncio.timeout(20), aclosing(feed.stream(wake)) as stream:
        async for bar in stream:
            found += [bar] if bar is not None else []
            if len(found) == count:
                break
    await acting
    return found


def once(condition: Callable[[], object], then: Callable[[], object]) -> Callable[[], None]:
    def act() -> None:
        give_up = time.monotonic() + 10
        while not condition() and time.monotonic() < give_up:
            time.sleep(0.01)
        then()

    return act


async def test_alpacas_minutes_come_as_bars_of_the_runs_spelling():
    with serving(AlpacaStub()) as stub:
        feed = AlpacaFeed(["AAPL.NASDAQ"], api_key=KEY, secret_key=SECRET, data_url=f"{stub.socket_url}/v2/test")
        start = minute(1)
        act = once(lambda: any(stub._data.values()), lambda: stub.call(stub.bar, "AAPL", start, PRICES))
        [bar] = await bars_of(feed, 1, act)

    assert bar == Bar("AAPL.NASDAQ", to_nanos(start), *PRICES, 100.0)


@pytest.mark.parametrize("close", [float("nan"), float("inf"), 0.0, -1.0])
async def test_a_bar_that_cannot_be_is_left_out(close):
    good = minute(2)

    def two(stub: AlpacaStub) -> None:
        stub.bar("AAPL", minute(3), (1.0, 2.0, 0.5, close))
        stub.bar("AAPL", good, PRICES)

    with serving(AlpacaStub()) as stub:
        feed = AlpacaFeed(["AAPL"], api_key=KEY, secret_key=SECRET, data_url=stub.url)
        act = once(lambda: any(stub._data.values()), lambda: stub.call(two, stub))
        [bar] = await bars_of(feed, 1, act)

    assert bar.time == to_nanos(good)


async def test_alpacas_bars_of_a_lost_connection_are_asked_for():
    before, after = minute(3), minute(2)

    def lose_and_trade(stub: AlpacaStub) -> None:
        stub.call(stub.bar, "AAPL", before, PRICES)
        stub.call(stub.drop_streams)
        once(lambda: not any(stub._data.values()), lambda: stub.call(stub.bar, "AAPL", after, PRICES))()

    with serving(AlpacaStub()) as stub:
        feed = AlpacaFeed(["AAPL"], api_key=KEY, secret_key=SECRET, data_url=stub.url)
        act = once(lambda: any(stub._data.values()), lambda: lose_and_trade(stub))
        bars = await bars_of(feed, 2, act)

    assert [bar.time for bar in bars] == [to_nanos(before), to_nanos(after)]


async def test_alpacas_five_minutes_are_built_of_minutes():
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(minutes=5)

    def five(stub: AlpacaStub) -> None:
        for number in range(5):
            stub.bar("AAPL", start + timedelta(minutes=number), (10.0 + number, 20.0 + number, 5.0, 11.0 + number))

    with serving(AlpacaStub()) as stub:
        feed = AlpacaFeed(["AAPL"], Timeframe.FIVE_MINUTES, KEY, SECRET, data_url=stub.url)
        act = once(lambda: any(stub._data.values()), lambda: stub.call(five, stub))
        [bar] = await bars_of(feed, 1, act)

    assert bar == Bar("AAPL", to_nanos(start), 10.0, 24.0, 5.0, 15.0, 500.0)


async def test_wrong_credentials_of_a_feed_end_it_and_say_what_to_set(monkeypatch):
    monkeypatch.setattr("brokers.alpaca.feed._FIRST_SECONDS", 0.5)
    with serving(AlpacaStub()) as stub:
        feed = AlpacaFeed(["AAPL"], api_key=KEY, secret_key="wrong", data_url=stub.url)
        with pytest.raises(Fatal, match="ALPHASWARM_ALPACA_API_KEY"):
            await bars_of(feed, 1, lambda: None)


async def test_ibkrs_five_seconds_become_minutes():
    begin = int(minute(2).timestamp())

    def trade(stub: tws.TwsStub) -> None:
        for number in range(12):
            stub.five_second_bar("SPY", begin + 5 * number, (10.0, 11.0 + number, 9.0, 10.5), 7)

    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        feed = IBKRFeed(["SPY"], port=stub.port)
        act = once(lambda: any(client.bars for client in list(stub.clients)), lambda: stub.call(trade, stub))
        [bar] = await bars_of(feed, 1, act)
        assert {client.id for client in stub.clients} <= {101}

    assert bar == Bar("SPY", begin * 1_000_000_000, 10.0, 22.0, 9.0, 10.5, 84.0)


async def test_tradiers_minutes_are_asked_for_and_those_that_are_not_over_are_left_out():
    def row(start: datetime) -> dict[str, object]:
        local = start.astimezone(ZoneInfo("America/New_York"))
        prices = dict(zip(("open", "high", "low", "close"), PRICES, strict=True))
        return {"time": local.strftime("%Y-%m-%dT%H:%M:%S"), **prices, "volume": 100}

    with serving(TradierStub()) as stub:
        start = minute(1)
        stub.series["SPY"] = [row(start), row(minute(0))]
        feed = TradierFeed(["SPY"], token=TOKEN, base_url=f"{stub.url}/v1", poll_seconds=0.1)
        [bar] = await bars_of(feed, 1, lambda: None)

    assert bar == Bar("SPY", to_nanos(start), *PRICES, 100.0)


async def test_a_halt_at_alpaca_is_known_until_trading_resumes():
    def halt(stub: AlpacaStub, feed: AlpacaFeed) -> None:
        stub.call(stub.trading_status, "AAPL", True, minute(1))
        once(lambda: feed.signs.halted, lambda: halted.update(feed.signs.halts()))()
        stub.call(stub.trading_status, "AAPL", False, minute(1))
        once(lambda: not feed.signs.halted, lambda: stub.call(stub.bar, "AAPL", minute(1), PRICES))()

    halted: dict[str, Denial] = {}
    with serving(AlpacaStub()) as stub:
        feed = AlpacaFeed(["AAPL.NASDAQ"], api_key=KEY, secret_key=SECRET, data_url=stub.url)
        await bars_of(feed, 1, once(lambda: any(stub._data.values()), lambda: halt(stub, feed)))

    assert halted["AAPL.NASDAQ"].code == "venue_halt"
    assert "Trading Halt" in halted["AAPL.NASDAQ"].message


async def test_a_symbol_that_trades_again_is_not_halted_whoever_missed_the_word():
    def halt(stub: AlpacaStub, feed: AlpacaFeed) -> None:
        stub.call(stub.trading_status, "AAPL", True, minute(2))
        once(lambda: feed.signs.halted, lambda: stub.call(stub.bar, "AAPL", minute(3), PRICES))()
        once(lambda: bool(feed.signs.halted), lambda: stub.call(stub.bar, "AAPL", minute(1), PRICES))()
        once(lambda: not feed.signs.halted, lambda: seen.append(feed.signs.halted))()

    seen: list[object] = []
    with serving(AlpacaStub()) as stub:
        feed = AlpacaFeed(["AAPL"], api_key=KEY, secret_key=SECRET, data_url=stub.url)
        wake = asyncio.Event()
        acting = asyncio.create_task(
            asyncio.to_thread(once(lambda: any(stub._data.values()), lambda: halt(stub, feed)))
        )
        async with asyncio.timeout(20), aclosing(feed.stream(wake)) as stream:
            acting.add_done_callback(lambda _: wake.set())
            async for bar in stream:
                if bar is None:
                    break
    assert seen == [{}]


async def test_a_lost_feed_goes_on_with_what_the_cache_has_learned_since(tmp_path):
    cache = tmp_path / "cache.csv"
    first = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)

    def keep(stub: AlpacaStub, venue: ExitStack) -> None:
        stub.call(stub.bar, "AAPL", first - timedelta(minutes=2), PRICES)
        venue.close()
        rows = [
            f"{(first + timedelta(minutes=n)).isoformat()},AAPL,10,10,10,{10 + n},5" for n in (-9, -8, -2, -1, 0, 5)
        ]
        cache.write_text("\n".join(["timestamp,symbol,open,high,low,close,volume", *rows]))

    with ExitStack() as venue:
        stub = venue.enter_context(serving(AlpacaStub()))
        urls = {"data_url": stub.url, "cache": str(cache), "lost_after_seconds": 0.1}
        feed = AlpacaFeed(["AAPL"], api_key=KEY, secret_key=SECRET, **urls)
        bars = await bars_of(feed, 3, once(lambda: any(stub._data.values()), lambda: keep(stub, venue)))

    # Not those that are older than the session, were seen, or are still to be.
    assert [(bar.time, bar.close) for bar in bars] == [
        (to_nanos(first - timedelta(minutes=2)), PRICES[3]),
        (to_nanos(first - timedelta(minutes=1)), 9.0),
        (to_nanos(first), 10.0),
    ]
    denial = feed.signs.degraded()
    assert denial is not None and denial.code == "data_degraded"


def test_a_live_feed_serves_no_backtest():
    with pytest.raises(FeedError, match="a backtest needs recorded bars"):
        list(AlpacaFeed(["AAPL"]).bars())


def test_a_timeframe_that_is_too_short_is_refused():
    with pytest.raises(FeedError, match="shorter than 1Min"):
        AlpacaFeed(["AAPL"], Timeframe.SECOND)


async def test_a_halt_at_ibkr_is_known_until_trading_resumes():
    def halt(stub: tws.TwsStub, feed: IBKRFeed) -> None:
        stub.call(stub.halt, "SPY", 2)
        once(lambda: feed.signs.halted, lambda: halted.update(feed.signs.halts()))()
        stub.call(stub.halt, "SPY", 0)
        once(lambda: not feed.signs.halted, lambda: stub.call(stub.minute, "SPY", start, PRICES))()

    halted: dict[str, Denial] = {}
    start = int(minute(2).timestamp())
    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        feed = IBKRFeed(["SPY"], port=stub.port)
        await bars_of(feed, 1, once(lambda: any(one.ticks for one in list(stub.clients)), lambda: halt(stub, feed)))

    assert halted["SPY"].code == "venue_halt"
    assert "volatility halt" in halted["SPY"].message


async def test_ibkrs_bars_of_a_lost_connection_are_asked_for():
    begin = minute(9)

    def lose_and_trade(stub: tws.TwsStub) -> None:
        stub.call(stub.minute, "SPY", int(begin.timestamp()), PRICES)
        stub.call(lambda: [client.drop() for client in list(stub.clients)])
        missed = [int((begin + timedelta(minutes=1)).timestamp()) + 5 * number for number in range(12)]
        stub.history["SPY"] = [(epoch, *PRICES, 7, 1.5, 1) for epoch in missed]

    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        feed = IBKRFeed(["SPY"], port=stub.port)
        act = once(lambda: any(one.bars for one in list(stub.clients)), lambda: lose_and_trade(stub))
        bars = await bars_of(feed, 2, act)

    assert [bar.time for bar in bars] == [to_nanos(begin), to_nanos(begin + timedelta(minutes=1))]
    assert bars[1].volume == 84.0


async def test_ibkrs_subscriptions_that_are_lost_are_made_anew():
    def lose_and_trade(stub: tws.TwsStub) -> None:
        stub.call(stub.lose_subscriptions)
        stub.call(stub.error, 1101, "Connectivity restored - data lost.")
        subscribed = once(
            lambda: any(one.bars for one in list(stub.clients)),
            lambda: stub.call(stub.minute, "SPY", int(minute(2).timestamp()), PRICES),
        )
        subscribed()

    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        feed = IBKRFeed(["SPY"], port=stub.port)
        act = once(lambda: any(one.bars for one in list(stub.clients)), lambda: lose_and_trade(stub))
        [bar] = await bars_of(feed, 1, act)

    assert (bar.high, bar.low, bar.close) == (2.0, 0.5, 1.5)


@pytest.mark.parametrize("code", [1100, 2103, 2105, 10197])
async def test_ibkrs_bars_do_not_flow_while_the_gateway_says_so(code):
    def lose(stub: tws.TwsStub) -> None:
        stub.call(stub.error, code, "no data")
        once(lambda: feed.signs.lost, lambda: told.append(feed.signs.lost))()
        stub.call(stub.minute, "SPY", int(minute(2).timestamp()), PRICES)

    told: list[str] = []
    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        feed = IBKRFeed(["SPY"], port=stub.port, lost_after_seconds=0.1)
        await bars_of(feed, 1, once(lambda: any(one.bars for one in list(stub.clients)), lambda: lose(stub)))

    assert "no bars come" in told[0]
