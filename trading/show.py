"""How a run shows itself: each frame goes to the publisher and to whoever watches in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trading.frames import publisher
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
