"""The equity curve of a backtest: a record of floats, kept whole. Little endian, eight bytes a figure."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg

#: ``times`` (n) in nanoseconds and ``equity`` (n) at each of them, in the account's currency.
Curve = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


def _columns(curve: Curve) -> tuple[memoryview, memoryview]:
    """Both columns as bytes, which are those of the arrays: a curve may be long."""
    times, equity = (np.ascontiguousarray(column, kind) for column, kind in zip(curve, ("<i8", "<f8"), strict=True))
    return times.data.cast("B"), equity.data.cast("B")


def curve_digest(curve: Curve) -> str:
    """SHA-256 (hex) of both columns, as the ledger's chain keeps it."""
    digest = hashlib.sha256()
    for column in _columns(curve):
        digest.update(column)
    return digest.hexdigest()


def save_curve(cursor: psycopg.Cursor[Any], run_id: UUID, curve: Curve) -> None:
    # Binary, for as text every byte would be two.
    query = "INSERT INTO equity_curves (run_id, times, equity) VALUES (%s, %b, %b)"
    cursor.execute(query, [run_id, *_columns(curve)])


def read_curve(times: bytes | memoryview, equity: bytes | memoryview) -> Curve:
    """The columns of an `EquityCurve` row as arrays (n,)."""
    return np.frombuffer(times, "<i8"), np.frombuffer(equity, "<f8")
