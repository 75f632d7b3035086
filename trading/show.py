"""How a run shows itself: each frame goes to the publisher and to whoever watches in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from trading.engine.records import Record
from trading.frames import of_record, publisher
from trading.models import Run

#: Takes a frame's stage, message, event time in nanoseconds (None: now) and extras.
Observer = Callable[..., None]


class Show:
    """Of one run; from any thread. Costs microseconds and never fails."""

    def __init__(self, run: Run, observer: Observer | None = None) -> None:
        self._frames = publisher()
        self._run_id = run.id
        self._task_id = run.task_id
        self._observer = observer

    def __call__(self, stage: str, message: str, time: int | None, **extras: Any) -> None:
        """Show a frame."""
        self._frames.publish(self._run_id, self._task_id, stage, message, time, **extras)
        if self._observer is not None:
            self._observer(stage, message, time, **extras)

    def facts(self, records: Iterable[Record]) -> None:
        """Show what these records tell."""
        for record in records:
            self._frames.publish_record(self._run_id, self._task_id, record)
            if self._observer is not None:
                for stage, message, extras in of_record(record):
                    self._observer(stage, message, record.time, **extras)
