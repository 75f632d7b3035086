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


def _columns(curve: Curve) -> tuple[bytes, bytes]:
    times, equity = curve
    return np.asarray(times).astype("<i8", copy=False).tobytes(), np.asarray(equity).astype("<f8", copy=False).tobytes()


def curve_digest(curve: Curve) -> str:
    """SHA-256 (hex) of both columns, as the ledger's chain keeps it."""
    times, equity = _columns(curve)
    return hashlib.sha256(times + equity).hexdigest()


def save_curve(cursor: psycopg.Cursor[Any], run_id: UUID, curve: Curve) -> None:
    times, equity = _columns(curve)
    cursor.execute("INSERT INTO equity_curves (run_id, times, equity) VALUES (%s, %s, %s)", [run_id, times, equity])


def read_curve(times: bytes | memoryview, equity: bytes | memoryview) -> Curve:
    """The columns of an `EquityCurve` row as arrays (n,)."""
    return np.frombuffer(times, "<i8"), np.frombuffer(equity, "<f8")
