"""What a run has to show and has not written yet. Pure."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Hashable

from trading.frames import stages
from trading.frames.encode import Draft
from trading.frames.told import Shown

#: Merged frames of one stage that a run shows in any second.
MERGED_PER_SECOND = 20


class Pending:
    """Frames in the order of what they tell, with merged ones replaced by the latest of their kind.

    A replaced frame moves to the end: so an equity is never shown before a fill that it contains. Bars are merged per
    symbol, so that no symbol hides another.
    """

    __slots__ = ("_ending", "_frames", "_numbers", "_shown", "durable", "lost")

    def __init__(self) -> None:
        self.durable = 0
        self.lost = 0
        self._ending = False
        self._frames: dict[Hashable, Shown] = {}
        self._numbers = itertools.count()
        self._shown: dict[str, deque[float]] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: Shown) -> None:
        stage = frame.stage
        if isinstance(frame, Draft) and stage in stages.MERGED:
            key = (stage, str(frame.extras.get("symbol", "")))
            self._frames.pop(key, None)
            self._frames[key] = frame
            return
        self._frames[next(self._numbers)] = frame
        self.durable += 1
        if stage == stages.DONE:
            self._ending = True

    def lose_oldest(self) -> None:
        """Give up the oldest frame that must be delivered; its number is used up, so that the gap shows."""
        key = next((key for key, frame in self._frames.items() if frame.stage not in stages.MERGED), None)
        if key is not None:
            del self._frames[key]
            self.durable -= 1
            self.lost += 1

    def take(self, now: float, most: int) -> list[Shown]:
        """Up to ``most`` frames, oldest first, and forget them; ``now`` in seconds of the monotonic clock.

        A merged frame beyond its stage's share of this second stays, unless the run ends: nothing comes after `done`.
        """
        taken: list[Hashable] = []
        for key, frame in self._frames.items():
            if len(taken) == most:
                break
            if frame.stage not in stages.MERGED or self._may_show(frame.stage, now):
                taken.append(key)
        frames = [self._frames.pop(key) for key in taken]
        self.durable -= sum(frame.stage not in stages.MERGED for frame in frames)
        if not self._frames:
            self._ending = False
        return frames

    def _may_show(self, stage: str, now: float) -> bool:
        shown = self._shown.setdefault(stage, deque(maxlen=MERGED_PER_SECOND))
        if len(shown) == MERGED_PER_SECOND and now - shown[0] < 1.0 and not self._ending:
            return False
        shown.append(now)
        return True
