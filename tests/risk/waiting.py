"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> float:
    """Wait until ``condition`` holds; returns the milliseconds that took, fails after ``seconds``."""
    started = time.perf_counter()
    while not condition():
        assert time.perf_counter() < started + seconds, "it did not come true in time"
        time.sleep(0.001)
    return (time.perf_counter() - started) * 1000
