import json

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet
import pytest

from tests.feeds.tables import HEADER, prepared, row, stamp, write
from trading.engine.bars import Bar, Timeframe
from trading.engine.errors import InvalidValue
from trading.feeds import ReplayFeed
from trading.feeds.base import FeedError

FIRST = 1_704_205_800_000_000_000
MINUTE = 60_000_000_000


@pytest.fixture
def file(tmp_path):
    return tmp_path / "bars.csv"


def test_a_row_is_a_bar_to_the_last_digit(file):
    feed = prepared(write(file, [row(0, figures="167.65,167.7,167.605,167.69,20000")]))
    assert list(feed.bars()) == [Bar("SPY", FIRST, 167.65, 167.7, 167.605, 167.69, 20000.0)]


def test_bars_can_be_taken_again(file):
    feed = prepared(write(file, [row(0), row(1)]))
    assert list(feed.bars()) == list(feed.bars())


def test_columns_may_stand_in_any_order_beside_others(file):
    write(file, [f"x,100,11,10,11.25,10.5,SPY,{stamp(0)}"], "note,volume,close,low,high,open,symbol,timestamp")
    assert list(prepared(file).bars()) == [Bar("SPY", FIRST, 10.5, 11.25, 10.0, 11.0, 100.0)]


def test_within_one_time_the_universe_gives_the_order(file):
    write(file, [row(0, "AAA"), row(0, "BBB"), row(0, "CCC"), row(1, "BBB"), row(1, "CCC")])
    bars = list(prepared(file, ["CCC", "BBB"]).bars())
    assert [(bar.symbol, (bar.time - FIRST) // MINUTE) for bar in bars] == [
        ("CCC", 0),
        ("BBB", 0),
        ("CCC", 1),
        ("BBB", 1),
    ]


def test_zones_blank_lines_byte_order_mark_and_dos_lines_are_read(file):
    rows = [HEADER, "2024-01-02 09:30:00-05:00,SPY,1,1,1,1,0", "", "2024-01-02T14:31:00.000Z,SPY,1,1,1,1,0", ""]
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    assert [bar.time - FIRST for bar in prepared(file).bars()] == [0, MINUTE]


def test_parquet_gives_the_same_bars(tmp_path, file):
    write(file, [row(0), row(0, "BAC"), row(2)])
    table = arrow_csv.read_csv(file)
    stamps = pa.array(table.column("timestamp").to_pylist(), pa.timestamp("ms", "UTC"))
    other = tmp_path / "bars.parquet"
    parquet.write_table(table.set_column(0, "timestamp", stamps), other)
    assert list(prepared(other, ["SPY", "BAC"]).bars()) == list(prepared(file, ["SPY", "BAC"]).bars())


def test_a_parquet_error_names_the_row(tmp_path):
    columns = {"timestamp": [stamp(0), stamp(1)], "symbol": ["SPY", "SPY"], "volume": [1, 1]}
    columns |= {"open": [1.0, 1.0], "high": [1.0, 1.0], "low": [1.0, 1.0], "close": [1.0, float("nan")]}
    parquet.write_table(pa.table(columns), tmp_path / "bars.parquet")
    with pytest.raises(FeedError, match=r"bars\.parquet: row 2: close is not a finite number"):
        prepared(tmp_path / "bars.parquet")


def test_parquet_times_without_a_zone_are_refused(tmp_path):
    columns = {"timestamp": pa.array([0], pa.timestamp("ns")), "symbol": ["SPY"], "volume": [1]}
    columns |= {name: [1.0] for name in ("open", "high", "low", "close")}
    parquet.write_table(pa.table(columns), tmp_path / "bars.parquet")
    with pytest.raises(FeedError, match="has no time zone"):
        prepared(tmp_path / "bars.parquet")


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (row(-1), "timestamp is earlier than in the row before"),
        (row(0), "timestamp and symbol are those of an earlier row"),
        (row(1, figures="nan,2,1,1,1"), "open is not a finite number"),
        (row(1, figures="1,inf,1,1,1"), "high is not a finite number"),
        (row(1, figures="1,2,-1,1,1"), "low is not more than zero"),
        (row(1, figures="1,2,1,0,1"), "close is not more than zero"),
        (row(1, figures="1,1e308,1,1,1"), "high is more than 1000000000"),
        (row(1, figures="2,1,2,2,1"), "high is less than low"),
        (row(1, figures="1,2,1,1,-1"), "volume is negative"),
        (row(1, figures="1,2,1,1,"), "volume is empty"),
        (row(1, figures="1,2,1,NA,1"), "close 'NA' is not a number"),
        (row(1, symbol=""), "symbol is empty"),
        (row(1) + ",1", "Expected 7 columns, got 8"),
        ("2024-01-02T14:31:00,SPY,1,1,1,1,1", "has no time zone: write 2024-01-02T14:31:00Z for UTC"),
        ("yesterday,SPY,1,1,1,1,1", "timestamp 'yesterday' is not a time"),
        (",SPY,1,1,1,1,1", "timestamp is empty"),
    ],
)
def test_an_impossible_row_is_named_by_file_line_and_reason(file, second, reason):
    write(file, [row(0), "", second, row(2)])
    with pytest.raises(FeedError) as caught:
        prepared(file)
    assert (caught.value.file, caught.value.line) == (str(file), 4)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"{file}, line 4: ")


def test_bytes_that_are_no_text_are_named_by_their_line(file):
    file.write_bytes(f"{HEADER}\n{row(0)}\n".encode() + b"\xff" + row(1).encode() + b"\n")
    with pytest.raises(FeedError, match=r"line 3: invalid UTF8 data"):
        prepared(file)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty; its first line must name the columns"),
        ("timestamp,symbol,open,high,low,volume\n", "has no column close"),
        (f"{HEADER},close\n", "has the column close twice"),
        (f"{HEADER}\n", "has no bar of SPY; it holds no rows"),
        (f"{HEADER}\n{row(0, 'BAC')}\n", "has no bar of SPY; it holds BAC"),
    ],
)
def test_a_file_without_what_is_needed_says_what(file, content, reason):
    file.write_text(content)
    with pytest.raises(FeedError, match=reason):
        prepared(file)


@pytest.mark.parametrize(
    ("name", "reason"), [("none.csv", "there is no such file"), ("bars.txt", "must be one of .csv")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, reason):
    with pytest.raises(FeedError, match=rf"{name}: {reason}"):
        prepared(tmp_path / name)


def test_quotes_are_read_where_a_file_has_them(file):
    write(file, [row(0) + ",10.9,11.1", row(1) + ",,"], f"{HEADER},bid,ask")
    assert [(bar.bid, bar.ask) for bar in prepared(file).bars()] == [(10.9, 11.1), (0.0, 0.0)]


def test_an_impossible_quote_is_named(file):
    write(file, [row(0) + ",-1,11.1"], f"{HEADER},bid,ask")
    with pytest.raises(FeedError, match=r"line 2: bid is less than zero"):
        prepared(file)


def test_nothing_is_read_before_it_is_prepared(tmp_path):
    feed = ReplayFeed(universe=["SPY"], path=str(tmp_path / "none.csv"))
    with pytest.raises(FeedError):
        feed.prepare()


def test_a_relative_path_starts_at_the_projects_folder(tmp_path, monkeypatch):
    write(tmp_path / "bars.csv", [row(0)])
    monkeypatch.setattr("trading.feeds.replay.PROJECT", tmp_path)
    feed = ReplayFeed(universe=["SPY"], path="bars.csv")
    feed.prepare()
    assert len(list(feed.bars())) == 1


def test_missing_minutes_are_counted_within_a_day(file):
    minutes = [0, 1, 4, 5, 1440, 1441]
    write(file, [line for minute in minutes for line in (row(minute, "BAC"), row(minute, "SPY"))][:-1])
    summary = prepared(file, ["SPY", "BAC"]).summary()
    assert summary["missing_minutes"] == {"SPY": 2, "BAC": 2}
    assert summary["bars"] == 11
    assert (summary["first"], summary["last"]) == ("2024-01-02T14:30:00+00:00", "2024-01-03T14:31:00+00:00")
    json.dumps(summary)


def test_an_open_outside_of_the_range_is_kept_and_counted(file):
    feed = prepared(write(file, [row(0, figures="12,11,10,11,100"), row(1)]))
    assert feed.summary()["outside_range"] == 1


@pytest.mark.parametrize(
    ("minutes", "timeframe", "interval"),
    [
        ([0, 1, 2, 5], Timeframe.MINUTE, MINUTE),
        ([0, 5, 10, 1440], Timeframe.FIVE_MINUTES, 5 * MINUTE),
        ([0, 1440, 2880], Timeframe.DAY, 1440 * MINUTE),
        ([0, 15, 30], None, 15 * MINUTE),
        ([0], None, 0),
    ],
)
def test_the_length_of_a_bar_is_the_most_common_step(file, minutes, timeframe, interval):
    feed = prepared(write(file, [row(minute) for minute in minutes]))
    assert (feed.timeframe, feed.interval) == (timeframe, interval)


@pytest.mark.parametrize(("speed", "pace"), [("max", None), ("1x", 1.0), ("60x", 60.0), ("0.5x", 0.5)])
def test_a_speed_is_a_factor(speed, pace):
    assert ReplayFeed(universe=["SPY"], path="x.csv", speed=speed).pace == pace


@pytest.mark.parametrize("speed", ["", "fast", "0x", "-1x", "60", "x", "1e9x", "nanx"])
def test_another_speed_is_refused(speed):
    with pytest.raises(InvalidValue, match="write max, or a factor such as 1x or 60x"):
        ReplayFeed(universe=["SPY"], path="x.csv", speed=speed)
