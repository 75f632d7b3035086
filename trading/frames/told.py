"""What waits to be shown: a frame, or a fact of an order whose frames are made when they are written. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from trading.engine.records import Record
from trading.frames.build import of_record
from trading.frames.encode import Draft


class Told(NamedTuple):
    """A fact of an order, told at ``emitted``. Its frames are never merged with others, nor do they end a run."""

    run_id: UUID
    task_id: str
    record: Record
    emitted: int

    @property
    def stage(self) -> str:
        return ""

    def drafts(self) -> Sequence[Draft]:
        time = self.record.time
        return [
            Draft(self.run_id, self.task_id, stage, message, time, self.emitted, extras)
            for stage, message, extras in of_record(self.record)
        ]


#: What the publisher holds.
Shown = Draft | Told
