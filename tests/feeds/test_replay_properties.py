from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.tables import HEADER, START, prepared, stamp, write
from trading.engine.bars import Bar, to_nanos
from trading.feeds.base import FeedError

SYMBOLS = ["AAPL", "BRK.B", "SPY.ARCA"]
CENTS = st.integers(1, 10_000_000).map(lambda cents: cents / 100)
CORRUPTIONS = {
    "open": ["", "nan", "inf", "-inf", "0", "-1", "1e308", "abc", " 1"],
    "close": ["", "nan", "0", "abc"],
    "low": ["0", "-0.01", "", "nan"],
    "high": ["0.0001", "", "inf"],
    "volume": ["-1", "nan", "", "1e300", "many"],
    "symbol": [""],
    "timestamp": ["", "2024-01-02T14:30:00", "never", "1500-01-01T00:00:00Z", "2024-13-01T00:00:00Z"],
}
NAMES = HEADER.split(",")


@st.composite
def tables(draw):
    """Rows of valid cells, in order of time, of one minute and symbol each."""
    keys = draw(st.sets(st.tuples(st.integers(0, 5000), st.sampled_from(SYMBOLS)), min_size=1, max_size=30))
    rows = []
    for minute, symbol in sorted(keys):
        low, opening, close, high = sorted(draw(st.tuples(CENTS, CENTS, CENTS, CENTS)))
        rows.append([minute, symbol, opening, high, low, close, float(draw(st.integers(0, 10**9)))])
    return rows


def lines(rows):
    return [",".join([stamp(minute), symbol, *map(repr, figures)]) for minute, symbol, *figures in rows]


def replayed(written, universe):
    with TemporaryDirectory() as folder:
        return list(prepared(write(Path(folder) / "bars.csv", written), universe).bars())


@given(tables())
def test_any_table_comes_back_as_it_was_written(rows):
    start = to_nanos(START)
    expected = [Bar(symbol, start + minute * 60_000_000_000, *figures) for minute, symbol, *figures in rows]
    assert replayed(lines(rows), sorted({symbol for _, symbol, *_ in rows})) == expected


@given(st.data(), tables())
def test_any_single_corruption_is_found_and_named_by_its_line(data, rows):
    index = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(sorted(CORRUPTIONS)))
    cell = data.draw(st.sampled_from(CORRUPTIONS[column]))
    written = lines(rows)
    cells = written[index].split(",")
    cells[NAMES.index(column)] = cell
    written[index] = ",".join(cells)
    with pytest.raises(FeedError) as caught:
        replayed(written, [rows[0][1]])
    assert caught.value.line == index + 2


@given(st.data(), tables())
def test_a_repeated_row_is_named_where_it_comes_again(data, rows):
    index = data.draw(st.integers(0, len(rows) - 1))
    written = lines(rows)
    written.insert(index + 1, written[index])
    with pytest.raises(FeedError, match="those of an earlier row") as caught:
        replayed(written, [rows[0][1]])
    assert caught.value.line == index + 3


@given(st.data(), tables())
def test_a_row_out_of_order_is_named(data, rows):
    index = data.draw(st.integers(0, len(rows) - 1))
    written = lines([*rows[: index + 1], [rows[0][0] - 1, *rows[0][1:]], *rows[index + 1 :]])
    with pytest.raises(FeedError, match="earlier than in the row before") as caught:
        replayed(written, [rows[0][1]])
    assert caught.value.line == index + 3


@given(st.data(), tables())
def test_a_missing_cell_is_named_by_its_line(data, rows):
    index = data.draw(st.integers(0, len(rows) - 1))
    written = lines(rows)
    written[index] = written[index].rsplit(",", 1)[0]
    with pytest.raises(FeedError, match="columns") as caught:
        replayed(written, [rows[0][1]])
    assert caught.value.line == index + 2
