from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.chains import COLUMNS, bar, market, prepared, quote, stamp, symbols, write
from tests.feeds.tables import START
from trading.engine.bars import Bar, to_nanos
from trading.engine.instruments import Right, option_symbol
from trading.feeds.base import FeedError
from trading.parts import assemble
from trading.recipes import load
from trading.recipes.errors import RecipeError

CALL = "ACME240119C00100000"
PUT = "ACME240119P00100000"
FIRST = to_nanos(START)
MINUTE = 60_000_000_000


def test_a_quote_is_a_bar_at_its_middle_that_nothing_traded_in(tmp_path):
    feed = prepared(write(tmp_path, [quote(figures="2.1,10,2.25,20")], [bar()]), ["ACME", CALL])
    assert list(feed.bars())[1] == Bar(CALL, FIRST, 2.175, 2.175, 2.175, 2.175, 0.0, 2.1, 2.25)


def test_a_bar_of_the_underlying_has_no_quote(tmp_path):
    feed = prepared(write(tmp_path, [quote()], [bar(price=99.5)]), ["ACME", CALL])
    assert next(feed.bars()) == Bar("ACME", FIRST, 99.5, 99.5, 99.5, 99.5, 1000.0, 0.0, 0.0)


def test_quotes_and_bars_are_merged_in_time_and_then_in_the_order_of_the_universe(tmp_path):
    put = "ACME,put,100.0,2024-01-19"
    quotes = [quote(0, put), quote(0), quote(2)]
    feed = prepared(write(tmp_path, quotes, [bar(0), bar(1), bar(2)]), ["ACME", CALL, PUT])
    assert [(one.symbol, (one.time - FIRST) // MINUTE) for one in feed.bars()] == [
        ("ACME", 0),
        (CALL, 0),
        (PUT, 0),
        ("ACME", 1),
        ("ACME", 2),
        (CALL, 2),
    ]


def test_options_that_the_universe_does_not_list_are_left_out(tmp_path):
    feed = prepared(write(tmp_path, [quote(), quote(0, "ACME,put,100.0,2024-01-19")], [bar()]), ["ACME", PUT])
    assert {one.symbol for one in feed.bars()} == {"ACME", PUT}


def test_a_bid_of_zero_is_no_bid(tmp_path):
    feed = prepared(write(tmp_path, [quote(figures="0,0,0.05,20")], [bar()]), ["ACME", CALL])
    assert list(feed.bars())[1] == Bar(CALL, FIRST, 0.025, 0.025, 0.025, 0.025, 0.0, 0.0, 0.05)


def test_a_whole_chain_comes_in_order_with_every_quote(tmp_path):
    feed = prepared(market(tmp_path, 20), ["ACME", *symbols()])
    bars = list(feed.bars())
    assert len(bars) == 20 * (1 + len(symbols()))
    assert all(earlier.time <= later.time for earlier, later in pairwise(bars))
    assert all(0 <= one.bid < one.close < one.ask for one in bars if one.symbol != "ACME")
    assert feed.interval == MINUTE
    assert feed.summary()["bars"] == len(bars)


QUOTED = st.dictionaries(
    st.tuples(st.integers(0, 5), st.sampled_from(list(Right)), st.integers(1, 400)),
    st.tuples(st.integers(0, 10_000), st.integers(0, 500)),
    min_size=1,
    max_size=20,
)


@given(QUOTED)
def test_any_quotes_come_back_to_the_cent(tmp_path_factory, quoted):
    rows, expected = [], []
    for (minute, right, halves), (bid, spread) in sorted(quoted.items()):
        ask = bid + spread + 1
        rows.append(quote(minute, f"ACME,{right},{halves / 2},2024-01-19", f"{bid / 100},1,{ask / 100},1"))
        symbol = option_symbol("ACME", date(2024, 1, 19), right, Decimal(halves) / 2)
        expected.append((FIRST + minute * MINUTE, symbol, bid, ask))
    universe = sorted({symbol for _, symbol, *_ in expected})
    files = write(tmp_path_factory.mktemp("quotes"), rows, [])
    found = [
        (bar.time, bar.symbol, round(bar.bid * 100), round(bar.ask * 100)) for bar in prepared(files, universe).bars()
    ]
    assert found == sorted(expected, key=lambda one: (one[0], one[1]))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (quote(figures="2.3,10,2.2,20"), "bid is more than ask"),
        (quote(figures="0,10,0,20"), "ask is not more than zero"),
        (quote(figures="two,10,2.2,20"), "bid 'two' is not a number"),
        (quote(figures="2.1,-1,2.2,20"), "bid_size must lie between"),
        (quote(figures="2.1,10,nan,20"), "ask must lie between"),
        (quote(figures="2.1,10"), "fewer cells"),
        (quote(option="ACME,right,100,2024-01-19"), "right 'right' must be one of call, put"),
        (quote(option="ACME,call,0,2024-01-19"), "strike must lie between"),
        (quote(option="ACME,call,100.0005,2024-01-19"), "strike must lie between"),
        (quote(option="ACME,call,hundred,2024-01-19"), "strike 'hundred' is not a number"),
        (quote(option="ACME,call,100,19 January"), "expiry '19 January' is no day"),
        (quote(option="acme,call,100,2024-01-19"), "underlying 'acme' is no symbol|acme"),
        (quote().replace("Z", ""), "has no time zone"),
        (quote().replace("2024-01-02T", "noon "), "is not a time"),
        (quote(-1), "earlier than in the row before"),
        (quote(), "those of an earlier row"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line_and_its_reason(tmp_path, row, reason):
    with pytest.raises(FeedError, match=reason) as refused:
        prepared(write(tmp_path, [quote(), row], [bar()]), ["ACME", CALL])
    assert refused.value.line == 3
    assert refused.value.file.endswith("quotes.csv")


def test_a_missing_column_is_named(tmp_path):
    files = write(tmp_path, [quote()], [bar()], COLUMNS.replace("expiry,", ""))
    with pytest.raises(FeedError, match="has no column expiry"):
        prepared(files, ["ACME", CALL])


def test_an_option_without_quotes_is_named_with_what_the_file_holds(tmp_path):
    with pytest.raises(FeedError, match=f"has no quote of {PUT}; it holds {CALL}"):
        prepared(write(tmp_path, [quote()], [bar()]), ["ACME", PUT])


def test_a_missing_file_is_named(tmp_path):
    files = write(tmp_path, [quote()], [bar()])
    with pytest.raises(FeedError, match="there is no such file of quotes"):
        prepared((tmp_path / "none.csv", files[1]), ["ACME", CALL])


RECIPE = """
name: quoted
universe: [ACME, {option}]
strategy:  {{class: SmaCrossStrategy, kwargs: {{fast: 1, slow: 2, quantity: 1}}}}
feed:      {{class: QuotesFeed, kwargs: {{quotes: {quotes}, path: {bars}}}}}
brokerage: {{class: SimulatedBrokerage}}
"""


def test_a_recipe_names_the_two_files(tmp_path):
    quotes, bars = write(tmp_path, [quote(0), quote(1)], [bar(0), bar(1)])
    parts = assemble(load(RECIPE.format(option=CALL, quotes=quotes, bars=bars)))
    parts.prepare()
    assert [one.symbol for one in parts.bars()] == ["ACME", CALL, "ACME", CALL]


def test_a_recipe_without_the_quotes_is_refused(tmp_path):
    text = RECIPE.format(option=CALL, quotes="quotes.csv", bars="bars.csv").replace("quotes: quotes.csv, ", "")
    with pytest.raises(RecipeError, match="quotes"):
        load(text)


def test_the_stamps_of_the_two_files_mean_the_same(tmp_path):
    feed = prepared(write(tmp_path, [quote(3)], [bar(3)]), ["ACME", CALL])
    assert len({one.time for one in feed.bars()}) == 1
    assert feed.summary()["first"].startswith(stamp(3)[:16])
