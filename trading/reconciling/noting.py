"""A risk event that no fact of a run tells of: what a venue said and cannot be."""

from __future__ import annotations

import logging
from typing import Final
from uuid import UUID

import psycopg

from trading.connections import connect
from trading.reconciling.looking import threads

log = logging.getLogger(__name__)

IMPOSSIBLE: Final = "impossible_update"
_NOTE: Final = """
    INSERT INTO risk_events (run_id, code, message, created_at) VALUES (%s, %s, %s, clock_timestamp())
"""


def note(run_id: UUID, message: str) -> None:
    """Write that an update was refused, in a thread of its own; it is logged in any case."""
    threads.submit(_write, run_id, message)


def _write(run_id: UUID, message: str) -> None:
    try:
        with connect() as database:
            database.execute(_NOTE, [run_id, IMPOSSIBLE, message])
    except psycopg.Error as error:
        log.warning("the risk event of run %s is not written: %s: %s", run_id, message, error)
