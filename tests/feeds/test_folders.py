import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet
import pytest

from tests.feeds.tables import prepared, row, stamp, write
from trading.feeds.base import FeedError

PLAIN = "timestamp,open,high,low,close,volume"


def plain(minute, figures="10.5,11.25,10,11,100"):
    return f"{stamp(minute)},{figures}"


def keys(feed):
    return [(bar.symbol, bar.time) for bar in feed.bars()]


def test_the_files_of_a_folder_are_merged_in_order_of_time(tmp_path):
    write(tmp_path / "later.csv", [row(2), row(2, "BAC")])
    write(tmp_path / "zero.csv", [row(0), row(1, "BAC")])
    together = write(tmp_path.parent / f"{tmp_path.name}.csv", [row(0), row(1, "BAC"), row(2), row(2, "BAC")])
    universe = ["SPY", "BAC"]
    assert list(prepared(tmp_path, universe).bars()) == list(prepared(together, universe).bars())


def test_csv_and_parquet_stand_side_by_side_and_other_files_are_left_alone(tmp_path):
    first = write(tmp_path / "first.csv", [row(1)])
    parquet.write_table(arrow_csv.read_csv(write(tmp_path / "old.csv", [row(0)])), tmp_path / "old.parquet")
    (tmp_path / "old.csv").unlink()
    (tmp_path / "README.md").write_text("About these bars")
    (tmp_path / ".hidden.csv").write_text("")
    assert first.exists()
    assert len(keys(prepared(tmp_path))) == 2


def test_a_file_without_a_symbol_column_holds_the_symbol_of_its_name(tmp_path):
    write(tmp_path / "SPY.csv", [plain(0)], PLAIN)
    write(tmp_path / "BRK.B.csv", [plain(0), plain(1)], PLAIN)
    assert [symbol for symbol, _ in keys(prepared(tmp_path, ["SPY", "BRK.B"]))] == ["SPY", "BRK.B", "BRK.B"]


def test_quotes_of_one_file_do_not_ask_for_those_of_another(tmp_path):
    write(tmp_path / "a.csv", [row(0) + ",10.9,11.1"], "timestamp,symbol,open,high,low,close,volume,bid,ask")
    write(tmp_path / "b.csv", [row(1)])
    assert [bar.bid for bar in prepared(tmp_path).bars()] == [10.9, 0.0]


def test_a_bar_in_two_files_is_named_with_both(tmp_path):
    write(tmp_path / "a.csv", [row(0), row(1)])
    write(tmp_path / "b.csv", [row(0, "BAC"), "", row(1), row(2)])
    with pytest.raises(FeedError) as caught:
        prepared(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/b.csv, line 4: the bar of SPY at 2024-01-02T14:31:00+00:00 is in {tmp_path}/a.csv too"
    )


def test_a_bad_row_is_named_by_its_own_file(tmp_path):
    write(tmp_path / "a.csv", [row(0)])
    write(tmp_path / "b.csv", [row(1, figures="1,2,1,1,-1")])
    with pytest.raises(FeedError, match=r"b\.csv, line 2: volume is negative"):
        prepared(tmp_path)


def test_a_symbol_that_no_file_has_is_told_with_what_they_hold(tmp_path):
    write(tmp_path / "a.csv", [row(0)])
    write(tmp_path / "b.csv", [row(0, "BAC")])
    with pytest.raises(FeedError, match="has no bar of TWX; it holds BAC, SPY"):
        prepared(tmp_path, ["SPY", "TWX"])


def test_an_empty_folder_says_what_it_needs(tmp_path):
    with pytest.raises(FeedError, match=r"is a folder without a file of bars \(\.csv, \.parquet\)"):
        prepared(tmp_path)
