"""The global chain: now and then it takes down where each run's chain stands, so that a cut tail shows."""

from __future__ import annotations

import hashlib
import time
from typing import Final
from uuid import UUID

import psycopg
from django.db import connection, transaction

from trading.ledger.events import NO_HASH

_TAKE_TURNS: Final = "SELECT pg_advisory_xact_lock(hashtext('alphaswarm.anchors'))"
_LAST: Final = "SELECT id, hash FROM ledger_anchors ORDER BY id DESC LIMIT 1"
_MOVED: Final = """
    SELECT h.run_id, h.seq, h.hash FROM ledger_heads h
     WHERE h.seq > 0 AND (%(run)s::uuid IS NULL OR h.run_id = %(run)s::uuid)
       AND NOT EXISTS (SELECT FROM ledger_anchors a WHERE a.run_id = h.run_id AND a.seq = h.seq)
     ORDER BY h.run_id
"""
_ADD: Final = """
    INSERT INTO ledger_anchors (id, run_id, seq, head_hash, hash, created_at)
    SELECT id, run_id, seq, head_hash, hash, 'epoch'::timestamptz + created_at * interval '1 microsecond'
      FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[], %s::bytea[], %s::bytea[], %s::bigint[])
        AS added(id, run_id, seq, head_hash, hash, created_at)
"""


def link(previous: bytes, run_id: UUID, seq: int, head_hash: bytes, created_at: int) -> bytes:
    """The 32 bytes of an anchor; ``created_at`` in microseconds since the epoch."""
    return hashlib.sha256(previous + b"%b|%d|%b|%d" % (run_id.bytes, seq, head_hash, created_at)).digest()


def anchor_heads(run_id: UUID | None = None) -> int:
    """Anchor every run, or this one, whose chain has grown since it was last anchored; how many were."""
    with transaction.atomic(), psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_TAKE_TURNS)
        moved = cursor.execute(_MOVED, {"run": run_id}).fetchall()
        last, previous = cursor.execute(_LAST).fetchone() or (0, NO_HASH)
        now = time.time_ns() // 1000
        rows = []
        for number, (run, seq, head_hash) in enumerate(moved, start=last + 1):
            previous = link(bytes(previous), run, seq, bytes(head_hash), now)
            rows.append((number, run, seq, bytes(head_hash), previous, now))
        if rows:
            cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])
    return len(rows)
