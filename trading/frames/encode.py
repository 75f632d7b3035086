"""A frame as JSON text."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from trading.engine.bars import to_datetime

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder(enc_hook=str)


class Draft(NamedTuple):
    """A frame that has yet to get its number; ``time`` and ``emitted`` in nanoseconds since the epoch."""

    run_id: UUID
    task_id: str
    stage: str
    message: str
    time: int
    emitted: int
    extras: dict[str, Any]

    def drafts(self) -> Sequence[Draft]:
        return [self]


def draft(run_id: UUID, task_id: str, stage: str, message: str, moment: int | None, extras: dict[str, Any]) -> Draft:
    """A draft stamped with ``moment``, the event time, or with now where the event has no time of its own."""
    now = time.time_ns()
    return Draft(run_id, task_id, stage, message, now if moment is None else moment, now, extras)


def iso(nanos: int) -> str:
    """Nanoseconds since the epoch as ISO 8601 in UTC, cut to microseconds: ``2013-10-01T13:30:00Z``."""
    return to_datetime(nanos).isoformat().replace("+00:00", "Z")


def body(frame: Draft) -> bytes:
    """The frame's JSON object without its ``seq``, which the stream gives it.

    ``timestamp`` is the event's own time, ``emitted_at`` the wall clock when it was shown. Extras that JSON cannot
    hold never cost the frame: it goes without them, and says so.
    """
    head = {
        "task_id": frame.task_id,
        "stage": frame.stage,
        "message": frame.message,
        "timestamp": iso(frame.time),
        "emitted_at": iso(frame.emitted),
        "run_id": str(frame.run_id),
    }
    try:
        # Twice, for the head to come first and to win over an extra of the same name.
        return _encoder.encode({**head, **frame.extras, **head})
    except (TypeError, ValueError, RecursionError) as error:
        log.error("extras of a %s frame of run %s cannot be shown: %s", frame.stage, frame.run_id, error)
        return _encoder.encode({**head, "unreadable_extras": str(error)})
