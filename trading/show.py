"""How a run shows itself: each frame goes to the publisher and to whoever watches in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from trading.engine.records import Record
from trading.frames import of_record, publisher
from trading.models import Run

#: Takes a frame's stage, message, event time in nanoseconds (None: now) and extras.
Show = Callable[..., None]


def show_of(run: Run, observer: Show | None = None) -> Show:
    frames, run_id, task_id = publisher(), run.id, run.task_id

    def show(stage: str, message: str, time: int | None, **extras: Any) -> None:
        frames.publish(run_id, task_id, stage, message, time, **extras)
        if observer is not None:
            observer(stage, message, time, **extras)

    return show


def show_records(show: Show, records: Iterable[Record]) -> None:
    for record in records:
        for stage, message, extras in of_record(record):
            show(stage, message, record.time, **extras)
