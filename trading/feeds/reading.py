"""Recorded bars from CSV and Parquet files, each part checked before it is given out."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet

from trading.feeds.base import FeedError
from trading.feeds.tables import COLUMNS, NUMBERS, PART, QUOTES, BadRow, Before, Table, checked

#: About as many rows of a CSV file, and the part of a column that is read of a Parquet file at once.
_CSV_BYTES: Final = 4 << 20
_PAGE_BYTES: Final = 1 << 20


_TIME: Final = pa.timestamp("ns", "UTC")
_TYPES: Final = {"timestamp": _TIME, "symbol": pa.string(), **{name: pa.float64() for name in NUMBERS}}
_WANTED: Final = {"timestamp": "a time", "symbol": "a symbol", **dict.fromkeys(NUMBERS, "a number")}


def read_tables(path: Path, shown: str, symbol: str | None = None) -> Iterator[Table]:
    """Read and check a file, which errors call ``shown``, part by part; raises `FeedError`, naming the line (of a CSV
    file; the header is line 1) or the row (of a Parquet file; the first is row 1).

    ``symbol`` is that of all rows where the file has no such column; None asks for the column.
    """
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise FeedError(f"must be one of {', '.join(SUFFIXES)}, or a folder of them", shown)
    if not path.is_file():
        raise FeedError("there is no such file" if not path.exists() else "is not a file", shown)
    read, _ = form
    begin, before = 0, Before()
    try:
        for part in read(path, symbol):
            yield checked(_converted(part), before)
            begin += part.num_rows
    except _BadLine as bad:
        raise bad_row(path, shown, bad.row, bad.reason) from bad
    except BadRow as bad:
        raise bad_row(path, shown, begin + bad.row, bad.reason) from bad
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise FeedError(f"cannot be read: {error}", shown) from error
    except _BadFile as error:
        raise FeedError(str(error), shown) from error


def bad_row(path: Path, shown: str, row: int, reason: str) -> FeedError:
    """What is wrong with a row of data, by its index, as an error that names its line or its row."""
    line = _FORMS[path.suffix.lower()][1](path, row)
    return FeedError(reason if line else f"row {row + 1}: {reason}", shown, line)


class _BadLine(BadRow):
    """A line that has no cells to speak of, by its index among the rows of the file."""


class _BadFile(Exception):
    """A file that is wrong as a whole."""


def _columns(found: list[str], symbol: str | None) -> list[str]:
    """The columns to read, of those that a file has."""
    needed = [name for name in COLUMNS if name != "symbol" or symbol is None or name in found]
    missing = [name for name in needed if name not in found]
    if missing:
        raise _BadFile(f"has no column {', '.join(missing)}; needed are {', '.join(needed)}")
    wanted = [*needed, *(name for name in QUOTES if name in found)]
    doubled = [name for name in wanted if found.count(name) > 1]
    if doubled:
        raise _BadFile(f"has the column {doubled[0]} twice")
    return wanted


def _named(table: pa.Table, symbol: str | None) -> pa.Table:
    """The table with its column of symbols."""
    if "symbol" in table.column_names:
        return table
    return table.append_column("symbol", pa.repeat(pa.scalar(symbol, pa.string()), table.num_rows))


def _read_csv(path: Path, symbol: str | None) -> Iterator[pa.Table]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        header = next(csv.reader(file), None)
    if header is None:
        raise _BadFile(f"is empty; its first line must name the columns {', '.join(COLUMNS)}")
    columns = _columns(header, symbol)
    try:
        for batch in _text(path, columns):
            yield _named(pa.Table.from_batches([batch]), symbol)
    except pa.ArrowInvalid as error:
        match = re.search(r"Row #(\d+): (?:CSV conversion error to \w+: )?([^:]*)", str(error))
        if match is None:
            raise
        raise _BadLine(int(match[1]) - 2, match[2]) from error


def _text(path: Path, columns: list[str]) -> arrow_csv.CSVStreamingReader:
    """All cells as text, so that one cast, of which the failing row can be found, says what is readable. Arrow tells
    the row of a malformed line only when it reads by one thread."""
    options = arrow_csv.ConvertOptions(
        include_columns=columns,
        column_types=dict.fromkeys(columns, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    reading = arrow_csv.ReadOptions(use_threads=False, block_size=_CSV_BYTES)
    return arrow_csv.open_csv(path, reading, convert_options=options)


def _csv_line(path: Path, row: int) -> int | None:
    """The line in which a row of data starts; blank lines are no rows."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.reader(file)
        next(reader)
        seen = -1
        for cells in reader:
            seen += bool(cells)
            if seen == row:
                return reader.line_num
    return None


def _read_parquet(path: Path, symbol: str | None) -> Iterator[pa.Table]:
    # Read page by page: the groups of rows of a file may be as long as the file.
    file = parquet.ParquetFile(path, buffer_size=_PAGE_BYTES)
    schema = file.schema_arrow
    columns = _columns(schema.names, symbol)
    kind = schema.field("timestamp").type
    if pa.types.is_timestamp(kind) and kind.tz is None:
        raise _BadFile("the column timestamp has no time zone: write it as UTC")
    if not (pa.types.is_timestamp(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise _BadFile(f"the column timestamp holds {kind}: write times in UTC")
    for batch in file.iter_batches(PART, columns=columns):
        yield _named(pa.Table.from_batches([batch]), symbol)


def _parquet_line(path: Path, row: int) -> int | None:
    return None


_FORMS: Final = {".csv": (_read_csv, _csv_line), ".parquet": (_read_parquet, _parquet_line)}
SUFFIXES: Final = tuple(_FORMS)


def _converted(table: pa.Table) -> pa.Table:
    """The columns in the types that the rest works with; raises `BadRow` for a cell that has none of it."""
    return pa.table({name: _cast(name, table.column(name).combine_chunks()) for name in table.column_names})


def _cast(name: str, column: Any) -> Any:
    if name in QUOTES:
        column = pc.fill_null(column, pa.scalar("0").cast(column.type))
    if column.null_count:
        raise BadRow(pc.index(pc.is_null(column), True).as_py(), f"{name} is empty")
    try:
        return pc.cast(column, _TYPES[name])
    except pa.ArrowInvalid:
        row = _first_uncastable(column, _TYPES[name])
        cell = pc.cast(column.slice(row, 1), pa.string()).to_pylist()[0][:40]
        zoneless = name == "timestamp" and _castable(column.slice(row, 1), pa.timestamp("ns"))
        hint = f"has no time zone: write {cell}Z for UTC" if zoneless else f"is not {_WANTED[name]}"
        raise BadRow(row, f"{name} {cell!r} {hint}") from None
    except pa.ArrowNotImplementedError as error:
        raise _BadFile(f"the column {name} holds {column.type}, not {_WANTED[name]}s") from error


def _castable(column: Any, kind: Any) -> bool:
    try:
        pc.cast(column, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _first_uncastable(column: Any, kind: Any) -> int:
    """By halving: everything before ``low`` can be cast, something in [low, high) cannot."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        if _castable(column.slice(low, middle - low), kind):
            low = middle
        else:
            high = middle
    return low
