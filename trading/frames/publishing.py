"""From the threads of sessions to Redis: one thread of a process numbers and writes the frames of all its runs."""

from __future__ import annotations

import atexit
import logging
import math
import os
import threading
import time
import uuid
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading.engine.records import Record
from trading.frames import stages, stream
from trading.frames.bell import Bell
from trading.frames.build import UNSEEN, of_record
from trading.frames.encode import body, draft
from trading.frames.pending import Pending
from trading.frames.told import Shown, Told

log = logging.getLogger(__name__)

#: What a session says within this time travels together.
GATHER_SECONDS = 0.005
CYCLE_SECONDS = 0.05
RETRY_SECONDS = 1.0
REDIS_TIMEOUT = 2.0
#: Frames written in one go, of one run and of all.
MOST_OF_RUN, MOST_OF_ALL = 1_000, 5_000
#: Frames that must be delivered and wait for Redis, of one run (no more are kept in its stream) and of all.
HELD_OF_RUN, HELD_OF_ALL = stream.KEPT, 50_000


class _Run:
    """``floor`` is the last number that this process knows of; ``batch`` is sent again until Redis has answered."""

    __slots__ = ("added", "batch", "floor", "over", "pending", "written")

    def __init__(self) -> None:
        self.pending = Pending()
        self.floor = 0
        self.batch: _Batch | None = None
        self.added = 0
        self.written = 0
        self.over = False


class _Batch:
    __slots__ = ("added", "arguments", "over", "size")

    def __init__(self, run_id: UUID, mark: str, floor: int, lost: int, shown: list[Shown], added: int) -> None:
        frames = [frame for one in shown for frame in one.drafts()]
        entries = [(frame.stage, body(frame), frame.stage in stages.CONTROL) for frame in frames]
        self.arguments = stream.write_arguments(run_id, mark, floor, lost, entries)
        self.added = added
        self.size = len(shown)
        self.over = shown[-1].stage == stages.DONE


class FramePublisher:
    """Publishes frames to the Redis at ``redis_url``.

    `publish` costs the caller microseconds, never blocks on Redis and never raises. While Redis is away, 10,000 frames
    of a run and 50,000 in all are held; beyond that a run's oldest give way and leave a gap in its numbers.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=REDIS_TIMEOUT,
            socket_connect_timeout=REDIS_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        self._bell = Bell()
        self._name = uuid.uuid4().hex[:12]
        self._batches = 0
        self._runs: dict[UUID, _Run] = {}
        self._dirty: dict[UUID, _Run] = {}
        self._held = 0
        self._lock = threading.Lock()
        self._written = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._held_until = 0.0
        self._away = False
        self._thread: threading.Thread | None = None

    def publish(
        self, run_id: UUID, task_id: str, stage: str, message: str, time: int | None = None, /, **extras: Any
    ) -> None:
        """Show a frame; ``time`` is its event time in nanoseconds (None: now), ``extras`` are JSON-ready.

        Frames of `stages.MERGED` may be replaced by later ones before they are written; all others are delivered.
        """
        self._add(run_id, draft(run_id, task_id, stage, message, time, extras))

    def publish_record(self, run_id: UUID, task_id: str, record: Record) -> None:
        """Show a fact of a run. The frames of an order's facts, which are most, are made by the thread that writes
        them, so that they take no time from whoever trades, nor from a kill."""
        if record.kind in UNSEEN:
            return
        if record.order is not None:
            self._add(run_id, Told(run_id, task_id, record, time.time_ns()))
            return
        for stage, message, extras in of_record(record):
            self.publish(run_id, task_id, stage, message, record.time, **extras)

    def _add(self, run_id: UUID, frame: Shown) -> None:
        durable = frame.stage not in stages.MERGED
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                run = self._runs[run_id] = _Run()
            run.pending.add(frame)
            run.added += 1
            if durable:
                self._held += 1
                if run.pending.durable > HELD_OF_RUN or self._held > HELD_OF_ALL:
                    run.pending.lose_oldest()
                    self._held -= 1
            self._dirty[run_id] = run
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="frames", daemon=True)
                self._thread.start()
        if not self._wake.is_set():
            self._wake.set()

    def hold(self, seconds: float) -> None:
        """Write nothing for so long: something more urgent has need of the processor."""
        self._held_until = time.monotonic() + seconds

    def flush(self, run_id: UUID, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until all that was published of a run is written; whether it is."""
        with self._written:
            run = self._runs.get(run_id)
            if run is None:
                return True
            wanted = run.added
            return self._written.wait_for(lambda: run.written >= wanted, timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Write what is left, for at most ``timeout`` seconds, and end."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    # The thread.

    def _serve(self) -> None:
        while True:
            self._wake.wait()
            self._gather()
            self._wake.clear()
            try:
                delivered = self._deliver()
            except Exception:
                # This thread serves every run of the process: it outlives whatever one of them does to it.
                log.exception("frames could not be written, trying again")
                delivered = False
            if self._closing.is_set() and not (delivered and self._dirty):
                break
            self._closing.wait(CYCLE_SECONDS if delivered else RETRY_SECONDS)
            if self._dirty:
                self._wake.set()
        self._bell.close()
        self._redis.close()

    def _gather(self) -> None:
        """Let what is said now come together, and wait for as long as anybody, meanwhile too, asks to hold."""
        self._closing.wait(GATHER_SECONDS)
        while (left := self._held_until - time.monotonic()) > 0 and not self._closing.wait(left):
            pass

    def _deliver(self) -> bool:
        """Write a batch of every run that has something to show; whether Redis took them all."""
        sending = self._make_batches()
        if not sending:
            return True
        answers = self._write([run.batch for _, run in sending if run.batch is not None])
        news: dict[str, int] = {}
        failure: Exception | None = None
        with self._written:
            for (run_id, run), answer in zip(sending, answers, strict=True):
                if isinstance(answer, Exception):
                    failure = answer
                else:
                    self._settle(run_id, run, answer)
                    news[run_id.hex] = answer
            self._written.notify_all()
        self._tell(failure)
        if news:
            self._bell.ring(news)
        return failure is None

    def _make_batches(self) -> list[tuple[UUID, _Run]]:
        # On the way out nothing is held back any longer.
        now = math.inf if self._closing.is_set() else time.monotonic()
        room = MOST_OF_ALL
        taken: list[tuple[UUID, _Run, int, list[Shown], int]] = []
        with self._lock:
            room -= sum(run.batch.size for run in self._dirty.values() if run.batch is not None)
            for run_id, run in self._dirty.items():
                if run.batch is not None or room <= 0:
                    continue
                before = run.pending.durable
                lost = run.pending.lost
                frames = run.pending.take(now, min(room, MOST_OF_RUN))
                if frames:
                    run.pending.lost = 0
                    room -= len(frames)
                    self._held -= before - run.pending.durable
                    taken.append((run_id, run, lost, frames, run.written if run.pending else run.added))
        for run_id, run, lost, frames, added in taken:
            self._batches += 1
            run.batch = _Batch(run_id, f"{self._name}-{self._batches}", run.floor, lost, frames, added)
        with self._lock:
            return [(run_id, run) for run_id, run in self._dirty.items() if run.batch is not None]

    def _write(self, batches: list[_Batch]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for batch in batches:
            pipe.execute_command("EVAL", *batch.arguments)
        try:
            return pipe.execute(raise_on_error=False)
        except (redis.RedisError, OSError) as error:
            return [error] * len(batches)

    def _settle(self, run_id: UUID, run: _Run, seq: int) -> None:
        batch = run.batch
        if batch is None:
            return
        run.batch = None
        run.floor = seq
        run.written = max(run.written, batch.added)
        run.over = batch.over
        del self._dirty[run_id]
        if run.pending:
            # At the end of the line, so that every run gets its turn.
            self._dirty[run_id] = run
        elif run.over:
            # The stream knows the last number; a run that has ended needs no place here.
            del self._runs[run_id]

    def _tell(self, failure: Exception | None) -> None:
        """One line when Redis goes away and one when it is back."""
        if failure is not None and not self._away:
            log.warning("frames wait for Redis, up to %d of a run and %d in all: %s", HELD_OF_RUN, HELD_OF_ALL, failure)
        elif failure is None and self._away:
            log.warning("frames are delivered to Redis again")
        self._away = failure is not None


_publishers: dict[int, FramePublisher] = {}
_making = threading.Lock()


def publisher() -> FramePublisher:
    """The one publisher of this process; a forked child gets its own."""
    pid = os.getpid()
    found = _publishers.get(pid)
    if found is None:
        with _making:
            found = _publishers.get(pid)
            if found is None:
                found = _publishers[pid] = FramePublisher(settings.REDIS_URL)
                atexit.register(found.close)
    return found


def _forget_parent() -> None:
    """A lock that some thread of the parent held would stay locked in the child."""
    global _making
    _making = threading.Lock()
    _publishers.clear()


os.register_at_fork(after_in_child=_forget_parent)
