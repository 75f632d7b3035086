"""The newest of what runs have shown, for a page that opens in the middle."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import redis

from trading.frames import stages, stream
from trading.frames.reading import client

log = logging.getLogger(__name__)

#: An equity is the last frame of each bar, so it is near the end; further back only when orders came after it.
_NEAR: Final = 4
_FAR: Final = 100


def read_latest(run_id: UUID, count: int) -> list[dict[str, Any]]:
    """The last ``count`` frames of a run, oldest first and without their numbers. Raises redis.RedisError."""
    entries = client().xrevrange(stream.key_of(run_id), count=count)
    return [msgspec.json.decode(fields[b"f"]) for _, fields in reversed(entries)]


def latest_equity(run_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """The last `equity.update` frame of each run that has shown one lately; nothing while Redis is away."""
    found: dict[UUID, dict[str, Any]] = {}
    try:
        for count in (_NEAR, _FAR):
            found |= _search([run_id for run_id in run_ids if run_id not in found], count)
    except (redis.RedisError, OSError) as error:
        log.warning("the latest figures of %d runs cannot be read, showing saved ones: %s", len(run_ids), error)
    return found


def _search(run_ids: Sequence[UUID], count: int) -> dict[UUID, dict[str, Any]]:
    if not run_ids:
        return {}
    with client().pipeline(transaction=False) as pipeline:
        for run_id in run_ids:
            pipeline.xrevrange(stream.key_of(run_id), count=count)
        answers = pipeline.execute()
    shown = {run_id: _equity(entries) for run_id, entries in zip(run_ids, answers, strict=True)}
    return {run_id: frame for run_id, frame in shown.items() if frame is not None}


def _equity(entries: Sequence[Any]) -> dict[str, Any] | None:
    wanted = stages.EQUITY_UPDATE.encode()
    body = next((fields[b"f"] for _, fields in entries if fields[b"s"] == wanted), None)
    return None if body is None else msgspec.json.decode(body)
