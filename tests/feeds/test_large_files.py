"""Files of more rows than are held: read in parts, kept on the disk, and the same bars all the same."""

import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.tables import prepared, row, write
from trading.feeds.base import FeedError
from trading.feeds.merging import merged
from trading.feeds.reading import read_tables
from trading.feeds.spool import Spool
from trading.feeds.survey import changes
from trading.feeds.tables import Table

SYMBOLS = ["SPY", "BAC", "TWX"]


@contextmanager
def held(rows):
    """As if so many rows, or about as many bytes of text, were all that may be held."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trading.feeds.reading.PART", rows)
        patch.setattr("trading.feeds.reading._CSV_BYTES", 60 * rows)
        patch.setattr("trading.feeds.spool.MOST_IN_MEMORY", rows)
        patch.setattr("trading.feeds.merging.PART", rows)
        patch.setattr("trading.feeds.merging._FEWEST", 1)
        yield


moments = st.sets(st.tuples(st.integers(0, 40), st.sampled_from(SYMBOLS)), min_size=1, max_size=60)


def lines(keys):
    return [row(minute, symbol) for minute, symbol in sorted(keys, key=lambda key: key[0])]


@settings(deadline=None)
@given(moments, st.integers(2, 9), st.booleans())
def test_it_does_not_matter_how_much_is_held(keys, rows, as_parquet):
    universe = sorted({symbol for _, symbol in keys})
    with TemporaryDirectory() as folder:
        file = write(Path(folder) / "bars.csv", lines(keys))
        if as_parquet:
            table, file = arrow_csv.read_csv(file), file.with_suffix(".parquet")
            parquet.write_table(table, file)
        whole = prepared(file, universe)
        with held(rows):
            in_parts = prepared(file, universe)
        assert list(in_parts.bars()) == list(whole.bars()) == list(in_parts.bars())
        assert in_parts.summary() == whole.summary()


@settings(deadline=None)
@given(moments, st.integers(2, 9), st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_a_folder_gives_what_one_file_would(keys, rows, places):
    universe = sorted({symbol for _, symbol in keys})
    with TemporaryDirectory() as folder:
        file = write(Path(folder) / "bars.csv", lines(keys))
        many = Path(folder) / "many"
        many.mkdir()
        for place in range(4):
            write(many / f"{place}.csv", [line for line, own in zip(lines(keys), places, strict=False) if own == place])
        with held(rows):
            together = prepared(many, universe)
        assert list(together.bars()) == list(prepared(file, universe).bars())
        assert together.summary() == prepared(file, universe).summary()


@pytest.mark.parametrize("bad", [2, 15, 16, 17, 31, 32, 60])
@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (lambda lines, at: lines[at - 1], "timestamp and symbol are those of an earlier row"),
        (lambda lines, at: row(0), "timestamp is earlier than in the row before"),
        (lambda lines, at: lines[at].replace(",11,", ",x,"), "close 'x' is not a number"),
        (lambda lines, at: lines[at] + ",1", "Expected 7 columns, got 8"),
    ],
)
def test_a_bad_row_is_named_by_its_line_in_whatever_part_it_lies(tmp_path, bad, spoiled, reason):
    written = [row(minute) for minute in range(80)]
    written[bad] = spoiled(written, bad)
    with held(16), pytest.raises(FeedError, match=reason) as caught:
        prepared(write(tmp_path / "bars.csv", written))
    assert caught.value.line == bad + 2


def test_a_symbol_that_comes_again_in_a_long_row_of_one_time_is_found(tmp_path):
    """The rows of one minute fill several parts."""
    written = [row(0, symbol) for symbol in [*(f"A{number}" for number in range(40)), "A3"]]
    with held(8), pytest.raises(FeedError, match="those of an earlier row") as caught:
        prepared(write(tmp_path / "bars.csv", written), ["A3"])
    assert caught.value.line == 42


def test_a_bar_in_two_files_is_named_in_whatever_part_it_lies(tmp_path):
    write(tmp_path / "a.csv", [row(minute) for minute in range(0, 80, 2)])
    write(tmp_path / "b.csv", [row(minute) for minute in [*range(1, 70, 2), 70]])
    with held(8), pytest.raises(FeedError, match=r"b\.csv, line 37: the bar of SPY .* is in .*a\.csv too"):
        prepared(tmp_path)


def made(count, size):
    for number in range(count):
        times = np.arange(number * size, (number + 1) * size, dtype=np.int64)
        figures = {name: np.ones(size) for name in ("open", "high", "low", "close", "volume")}
        yield Table(times, np.zeros(size, np.int64), ["SPY"], figures)


def rows_held(count, size):
    """The most rows that are held while so many tables are merged, kept and taken out again."""
    tracemalloc.start()
    spool = Spool.of(merged([made(count, size)], ["SPY"]), ["SPY"])
    assert sum(len(table.times) for table in spool.tables()) == count * size
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / (7 * 8)


def test_what_is_held_does_not_grow_with_the_rows():
    with held(1_000):
        few, many = rows_held(20, 1_000), rows_held(200, 1_000)
    assert many < 1.5 * few
    assert many < 20_000


def test_what_is_read_of_a_file_does_not_grow_with_it(tmp_path):
    file = write(tmp_path / "bars.csv", [row(minute) for minute in range(2_000)])
    with held(100):
        longest = max(len(part.times) for part in read_tables(file, "bars.csv"))
    assert longest < 300


def test_a_disk_without_room_is_named_with_where_it_is(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trading.feeds.spool.TemporaryFile", full)
    with held(4), pytest.raises(FeedError, match=r"TMPDIR: .*No space left on device"):
        prepared(write(tmp_path / "bars.csv", [row(minute) for minute in range(9)]))


def test_the_same_bars_have_the_same_fingerprint_whatever_file_they_are_in(tmp_path):
    file = write(tmp_path / "bars.csv", [row(0), row(0, "BAC"), row(1)])
    parquet.write_table(arrow_csv.read_csv(file), tmp_path / "bars.parquet")
    for place, own in enumerate([[row(0)], [row(0, "BAC"), row(1)]]):
        (tmp_path / "many").mkdir(exist_ok=True)
        write(tmp_path / "many" / f"{place}.csv", own)
    found = {
        prepared(path, ["SPY", "BAC"]).summary()["sha256"]
        for path in (file, tmp_path / "bars.parquet", tmp_path / "many")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "other",
    [
        [row(0), row(1), row(2)],
        [row(0), row(2)],
        [row(0), row(1, "BAC")],
        [row(0), row(1, figures="10.5,11.25,10,11.01,100")],
        [row(0), row(1, figures="10.5,11.25,10,11,101")],
    ],
)
def test_any_other_bar_has_another_fingerprint(tmp_path, other):
    first = prepared(write(tmp_path / "a.csv", [row(0), row(1)]))
    symbols = ["SPY"] if "BAC" not in "".join(other) else ["SPY", "BAC"]
    assert first.summary()["sha256"] != prepared(write(tmp_path / "b.csv", other), symbols).summary()["sha256"]


def test_what_has_changed_since_is_told(tmp_path):
    then = prepared(write(tmp_path / "bars.csv", [row(0), row(1)])).summary()
    moved = prepared(write(tmp_path / "bars.csv", [row(0), row(1, figures="10.5,11.25,10,11.01,100")])).summary()
    longer = prepared(write(tmp_path / "bars.csv", [row(0), row(1), row(2)])).summary()
    assert changes(then, then) == changes({}, then) == ""
    assert changes(then, moved) == "the feed's data has changed since the run (as many bars, with other figures)"
    assert "bars: 2 then, 3 now" in changes(then, longer)
