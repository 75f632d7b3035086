"""Bars that are past fill a strategy's windows before the first live one, and are not traded at."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.ibkr import feed as ibkr_feed
from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from tests.engine.builders import Script, buy
from tests.feeds.test_live import PRICES, minute, once
from tests.replay.driven import Driven, resumed, told_of
from tests.risk.runs import at, made
from tests.trading.drawn import SYMBOLS, VENUES, WANTED, Replayed, brokerage, markets
from tests.trading.sessions import CASH
from tests.venues import tws, tws_market
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.serving import serving
from tests.venues.tradier import TOKEN, TradierStub
from trading.bounds import bounded_live
from trading.engine.bars import Bar, Timeframe, to_nanos
from trading.engine.engine import Engine
from trading.engine.errors import Transient
from trading.engine.margin import AccountType
from trading.engine.records import Kind, Record
from trading.feeds.base import FeedError, Warming
from trading.feeds.live import AlpacaFeed, IBKRFeed, LiveFeed, TradierFeed
from trading.feeds.past import past_of

MINUTE = Timeframe.MINUTE.nanos


async def told(feed: LiveFeed, count: int, history: int = 0, act=lambda: None) -> list[Bar | Warming]:
    """The first so many bars and words of a stream."""
    acting = asyncio.create_task(asyncio.to_thread(act))
    found: list[Bar | Warming] = []
    async with asyncio.timeout(20), aclosing(feed.stream(asyncio.Event(), history)) as stream:
        async for one in stream:
            found += [one] if one is not None else []
            if len(found) == count:
                break
    await acting
    return found


def ibkr_row(start: datetime, prices=PRICES) -> tuple:
    return (int(start.timestamp()), *prices, 7, prices[3], 1)


async def test_a_strategys_window_is_filled_from_ibkrs_recorded_bars_before_the_first_live_one():
    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        starts = [minute(back) for back in (5, 4, 3, 2, 1)]
        stub.history["SPY"] = [ibkr_row(start) for start in starts]
        first, *bars = await told(IBKRFeed(["SPY"], port=stub.port), 4, history=3)

    assert (first, [bar.time for bar in bars]) == (Warming(3), [to_nanos(start) for start in starts[2:]])


async def test_a_bar_that_is_under_way_at_the_start_goes_on_from_what_is_known_of_it():
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def trade() -> None:
        for number in range(715, 720):
            stub.five_second_bar("SPY", int(now.timestamp()) + 5 * number, (50.0, 51.0, 49.0, 50.5), 1)

    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        stub.history["SPY"] = [ibkr_row(now - timedelta(hours=1)), ibkr_row(now, (10.0, 99.0, 9.0, 10.0))]
        feed = IBKRFeed(["SPY"], Timeframe.HOUR, port=stub.port)
        *_, bar = await told(feed, 3, history=1, act=once(lambda: stub.history_calls, lambda: stub.call(trade)))

    assert (bar.time, bar.open, bar.high, bar.low, bar.close) == (to_nanos(now), 10.0, 99.0, 9.0, 50.5)


async def test_a_run_that_goes_on_is_shown_what_it_has_missed_and_no_more():
    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        starts = [minute(back) for back in (5, 4, 3, 2, 1)]
        stub.history["SPY"] = [ibkr_row(start) for start in starts]
        feed = IBKRFeed(["SPY"], port=stub.port, warm_up=50)
        feed.seen({"SPY": to_nanos(starts[2])})
        first, *bars = await told(feed, 3)

    assert (first, [bar.time for bar in bars]) == (Warming(2), [to_nanos(start) for start in starts[3:]])


async def test_alpacas_recorded_bars_warm_up():
    with serving(AlpacaStub()) as stub:
        starts = [minute(back) for back in (3, 2, 1)]
        for start in starts:
            stub.call(stub.bar, "AAPL", start, PRICES)
        feed = AlpacaFeed(["AAPL"], api_key=KEY, secret_key=SECRET, data_url=stub.url, warm_up=2)
        first, *bars = await told(feed, 3)

    assert (first, [bar.time for bar in bars]) == (Warming(2), [to_nanos(start) for start in starts[1:]])


async def test_tradiers_recorded_bars_warm_up():
    def row(start: datetime) -> dict[str, object]:
        local = start.astimezone(ZoneInfo("America/New_York"))
        prices = dict(zip(("open", "high", "low", "close"), PRICES, strict=True))
        return {"time": local.strftime("%Y-%m-%dT%H:%M:%S"), **prices, "volume": 100}

    with serving(TradierStub()) as stub:
        starts = [minute(back) for back in (3, 2, 1)]
        stub.series["SPY"] = [row(start) for start in starts]
        first, *bars = await told(TradierFeed(["SPY"], token=TOKEN, base_url=f"{stub.url}/v1"), 3, history=2)

    assert (first, [bar.time for bar in bars]) == (Warming(2), [to_nanos(start) for start in starts[1:]])


async def test_nothing_is_asked_for_where_nobody_looks_back():
    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        act = once(
            lambda: any(client.bars for client in list(stub.clients)),
            lambda: stub.call(stub.five_second_bar, "SPY", int(minute(1).timestamp()), PRICES, 1),
        )
        [bar] = await told(IBKRFeed(["SPY"], port=stub.port), 1, act=act)
        assert not stub.history_calls

    assert isinstance(bar, Bar)


async def test_what_ibkr_would_refuse_for_its_pace_is_not_asked_yet(monkeypatch):
    monkeypatch.setattr(ibkr_feed, "HISTORY_CALLS", (2, 0.6))
    symbols = ["SPY", "IBM", "AAPL"]
    with tws.serving(tws.TwsStub()) as stub:
        for symbol in symbols:
            stub.trade(symbol, "100")
            stub.history[symbol] = [ibkr_row(minute(1))]
        began = time.monotonic()
        first, *bars = await told(IBKRFeed(symbols, port=stub.port), 4, history=1)

    assert (first, [bar.symbol for bar in bars]) == (Warming(3), symbols)
    assert time.monotonic() - began >= 0.6


def test_the_same_question_is_put_to_ibkr_again_only_once_it_would_be_answered(monkeypatch):
    monkeypatch.setattr(ibkr_feed, "SAME_SECONDS", 0.3)
    monkeypatch.setattr(tws_market, "SAME_SECONDS", 0.25)
    with tws.serving(tws.TwsStub()) as stub:
        stub.trade("SPY", "100")
        stub.history["SPY"] = [ibkr_row(minute(1))]
        source = IBKRFeed(["SPY"], port=stub.port).source()
        source.start(["SPY"], print)
        since = to_nanos(minute(3 * 24 * 60))
        try:
            first, second = (source.history("SPY", Timeframe.MINUTE, since) for _ in range(2))
        finally:
            source.stop()

    assert first == second and len(first) == 1


def test_a_warm_up_that_cannot_be_is_refused():
    with pytest.raises(FeedError, match="warm_up must be from 0 to"):
        IBKRFeed(["SPY"], warm_up=-1)


class Recorded:
    """Bars that a venue has, which answers from its ``failures``-th question on."""

    def __init__(self, bars: list[Bar], failures: int = 0) -> None:
        self.bars, self.failures, self.asked = bars, failures, 0

    def history(self, symbol: str, timeframe: Timeframe, since: int) -> list[Bar]:
        self.asked += 1
        if self.asked <= self.failures:
            raise Transient("not now")
        return [bar for bar in self.bars if bar.symbol == symbol]


def test_quarters_of_an_hour_become_hours_and_days_of_another_zone_begin_at_midnight():
    day = datetime.now(UTC).replace(hour=5, minute=0, second=0, microsecond=0) - timedelta(days=2)
    quarters = [Bar("SPY", to_nanos(day + timedelta(minutes=15 * n)), 1.0, 2.0 + n, 0.5, 1.5, 10.0) for n in range(4)]

    [hour] = past_of(Recorded(quarters), ["SPY"], Timeframe.HOUR, 5, {}).over
    assert hour == Bar("SPY", to_nanos(day), 1.0, 5.0, 0.5, 1.5, 40.0)
    [whole] = past_of(Recorded(quarters[:1]), ["SPY"], Timeframe.DAY, 5, {}).over
    assert whole.time == to_nanos(day.replace(hour=0))


def test_a_bar_that_cannot_be_is_no_past_either():
    bars = [Bar("SPY", to_nanos(minute(back)), 1.0, 1.0, 1.0, close, 1.0) for back, close in ((3, 1.0), (2, 0.0))]
    assert past_of(Recorded(bars), ["SPY"], Timeframe.MINUTE, 5, {}).over == bars[:1]


def test_a_venue_that_does_not_answer_is_asked_again_and_then_ends_the_start(monkeypatch):
    monkeypatch.setattr("trading.feeds.past._RETRY_SECONDS", 0.01)
    bars = [Bar("SPY", to_nanos(minute(1)), *PRICES, 1.0)]
    assert past_of(Recorded(bars, failures=2), ["SPY"], Timeframe.MINUTE, 1, {}).over == bars
    with pytest.raises(Transient, match="not now"):
        past_of(Recorded(bars, failures=3), ["SPY"], Timeframe.MINUTE, 1, {})


async def test_past_bars_do_not_count_towards_the_bars_of_a_session():
    async def stream():
        yield Warming(2)
        for number in range(9):
            yield at(number, 10.0)

    found = [one async for one in bounded_live(stream(), asyncio.Event(), 3, None)]
    assert len(found) == 1 + 2 + 3


def test_what_a_strategy_wants_at_past_bars_is_not_done():
    machine = made(Script(*[[buy(1)]] * 6), {})
    machine.on_bar(at(0, 10.0))
    machine.warm(3)
    effects = [len(machine.on_bar(at(number, 10.0))) for number in range(1, 6)]

    assert effects == [0, 0, 0, 1, 1]
    assert (machine.bars, machine.traded_bars) == (6, 3)


def test_a_warm_up_that_was_cut_short_gives_way_to_the_next():
    machine = made(Script(), {})
    machine.warm(5)
    machine.on_bar(at(0, 10.0))
    machine.warm(1)
    for number in range(1, 4):
        machine.on_bar(at(number, 10.0))

    assert (machine.bars, machine.traded_bars) == (4, 2)


@settings(max_examples=40, deadline=None)
@given(markets(), WANTED, VENUES, st.data())
def test_a_run_that_was_warmed_up_is_done_again_and_gone_on_with_as_it_was(bars, wanted, venue, data):
    def make():
        agent = RiskManagementAgent(RiskLimits(), CASH)
        engine = Engine("run", Replayed(wanted, []), agent, SYMBOLS, CASH, account=AccountType(venue["account"]))
        return engine, brokerage(venue)

    whole = Driven(*make())
    began = data.draw(st.integers(0, len(bars)))
    whole.trade(bars[:began])
    past = data.draw(st.integers(0, len(bars)))
    data_of = {"num_bars": whole.engine.bars, "bars": past}
    whole.engine.records.append(Record(Kind.FEED_WARMED, whole.engine.now, data=data_of))
    whole.engine.warm(past)
    whole.keep()
    warmed = len(whole.facts)
    whole.trade(bars[began:])
    whole.end()
    at = data.draw(st.integers(warmed, len(whole.facts)))

    again = resumed(make, whole, at, quiet=data.draw(st.integers(0, 3)))
    assert again.facts == whole.facts
    assert told_of(again.engine) == told_of(whole.engine)
    assert again.engine.traded_bars == whole.engine.traded_bars
