import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.engine.errors import InvalidValue
from trading.engine.symbols import Symbol


@pytest.mark.parametrize(
    ("text", "ticker", "venue"),
    [
        ("AAPL", "AAPL", None),
        ("AAPL.NASDAQ", "AAPL", "NASDAQ"),
        ("BRK.B", "BRK.B", None),
        ("BRK.B.NYSE", "BRK.B", "NYSE"),
        ("BTC/USD", "BTC/USD", None),
    ],
)
def test_a_symbol_is_a_ticker_and_perhaps_a_venue(text, ticker, venue):
    assert Symbol.parse(text) == Symbol(ticker, venue)
    assert str(Symbol.parse(text)) == text


@pytest.mark.parametrize("text", ["", "aapl", "AAPL.", ".NASDAQ", "AA PL", "AAPL.NASDAQ.X.Y", "A" * 40, None, 7])
def test_what_is_no_symbol_is_refused_by_name(text):
    with pytest.raises(InvalidValue, match=r"TICKER\.VENUE"):
        Symbol.parse(text)


@given(st.text(max_size=20))
def test_parsing_either_round_trips_or_refuses(text):
    try:
        symbol = Symbol.parse(text)
    except InvalidValue:
        return
    assert str(symbol) == text
