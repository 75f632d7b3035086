"""One owner per run: a lease in the database with a fencing token that only grows.

A task message is a hint; whoever wins the conditional UPDATE owns the run. The owner renews each second, and a lease
that was not renewed for `LEASE_SECONDS` may be taken: then its token no longer appends to the ledger, so that an owner
who wakes from a long pause cannot do harm. Times are the database's, except that an owner judges whether it may still
send by its monotonic clock, from before it asked. That a lease is lost only the database can say, so an owner who could
not ask it for a while, and whose run nobody took meanwhile, goes on.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connection, transaction

from trading import ledger, releases
from trading.connections import connect
from trading.engine.records import Kind, Record
from trading.models import RunStatus

log = logging.getLogger(__name__)

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
#: An owner stops sending this much before its lease could be taken by another.
SAFETY_SECONDS = 1.0
ASKED_CHANNEL = "alphaswarm_asked"
GATHER_SECONDS = 0.02
#: So long an owner that is asked to leave its run to another may take, and so often it is asked.
HAND_OVER_SECONDS = 2.0
_ASK_SECONDS = 0.05

_CLAIM = """
    UPDATE runs SET status = 'starting', owner = %(owner)s, version = %(version)s, fencing_token = fencing_token + 1,
           lease_expires_at = now() + make_interval(secs => %(seconds)s)
     WHERE id = %(run)s AND status = 'queued' AND NOT EXISTS (SELECT FROM releases WHERE version <> %(version)s)
 RETURNING fencing_token, resumes
"""
_WAITS = "SELECT FROM runs WHERE id = %s AND status = 'queued'"
# Whoever waits for a message of it is sent one as soon as somebody looks.
_GIVE_AWAY = "UPDATE runs SET fencing_token = fencing_token + 1, resent_at = NULL WHERE id = %s"
# By the clock and not by now(), which a long append to the run, for which this statement waits, would have left behind.
_RENEW = """
    UPDATE runs SET lease_expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
      FROM unnest(%(runs)s::uuid[], %(tokens)s::bigint[]) AS held(run, token)
     WHERE runs.id = held.run AND runs.fencing_token = held.token
 RETURNING runs.id, runs.stop_requested_at IS NOT NULL, runs.resumes, runs.resume_reason
"""


class HandedOver(Exception):
    """The run is left to another worker, for its own is to end."""


def owner_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass
class Lease:
    """A held lease. ``valid`` is judged without asking anyone.

    ``on_stop`` is called from another thread, again and again while a stop is wanted, so that whoever sets it late
    misses nothing; ``on_leave`` too, while the run is to be left to another process, which ends with `HandedOver`;
    ``on_resume`` too, until ``resumes`` has the number that it is told, with the reason: so often has a person let the
    run trade again. ``on_lost`` is called once, and the next append to the ledger says it too.
    """

    run_id: UUID
    token: int
    valid_until: float
    resumes: int = 0
    on_lost: Callable[[], None] = field(default=lambda: None)
    on_stop: Callable[[], None] = field(default=lambda: None)
    on_leave: Callable[[], None] = field(default=lambda: None)
    on_resume: Callable[[int, str], None] = field(default=lambda resumes, reason: None)

    @property
    def valid(self) -> bool:
        return time.monotonic() < self.valid_until - SAFETY_SECONDS


def claim(run_id: UUID) -> Lease | None:
    """Become the owner of a queued run; None when it is not queued (any more).

    Raises `trading.releases.OtherVersion` where it is not for a process of this version.
    """
    asked = time.monotonic()
    version = settings.PROGRAM_VERSION
    wanted = {"owner": owner_name(), "version": version, "seconds": LEASE_SECONDS, "run": run_id}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, wanted)
        row = cursor.fetchone()
        if row is None:
            _check_version(run_id)
            return None
        status = {"status": RunStatus.STARTING.value, "owner": wanted["owner"], "version": version, "token": row[0]}
        ledger.append_now(run_id, [Record(Kind.RUN_STATUS, time.time_ns(), data=status)], token=row[0])
    return Lease(run_id, row[0], asked + LEASE_SECONDS, resumes=row[1])


def _check_version(run_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_WAITS, [run_id])
        if cursor.fetchone() is not None:
            releases.check()


@transaction.atomic
def give_away(lease: Lease, reason: str) -> None:
    """Queue the run for another owner; from then on this one can append nothing. Raises `ledger.LeaseLost`."""
    data = {"status": RunStatus.QUEUED.value, "reason": reason}
    record = Record(Kind.RUN_STATUS, time.time_ns(), reason=reason, data=data)
    ledger.append_now(lease.run_id, [record], token=lease.token)
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_AWAY, [lease.run_id])


def announce(run_id: UUID) -> None:
    """Tell the owner of a run, once this transaction is committed, that something was asked of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [ASKED_CHANNEL, str(run_id)])


class LeaseKeeper:
    """One thread per process that renews every lease held here, and learns on the way of what was asked of their runs.

    That is announced (`announce`), so that it is heard at once; a lost announcement costs a second.
    """

    def __init__(self) -> None:
        self._leases: dict[UUID, Lease] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._leaving = False
        #: The process is to end, so it takes no more.
        self.draining = False

    def hold(self, lease: Lease) -> None:
        with self._lock:
            self._leases[lease.run_id] = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="lease-keeper", daemon=True)
                self._thread.start()

    def release(self, lease: Lease) -> None:
        with self._lock:
            # The run may have come back to this process meanwhile, under a lease of its own.
            if self._leases.get(lease.run_id) is lease:
                del self._leases[lease.run_id]

    def drain(self) -> int:
        """Ask the owners of all that is held, and of all that will be, to stop; returns how many there are.

        Takes no lock, so that a signal handler may call it.
        """
        self.draining = True
        held = list(self._leases.values())
        for lease in held:
            lease.on_stop()
        return len(held)

    def hand_over(self, seconds: float = HAND_OVER_SECONDS) -> list[Lease]:
        """Ask the owners of all that is held, and of all that will be, to leave it to others, and wait until they have,
        for at most ``seconds``; those that have not answered."""
        self._leaving = self.draining = True
        give_up = time.monotonic() + seconds
        while (held := list(self._leases.values())) and time.monotonic() < give_up:
            for lease in held:
                _tell(lease.on_leave, lease)
            time.sleep(_ASK_SECONDS)
        return held

    def lose(self, lease: Lease) -> None:
        """Tell the owner of a lease that it is over."""
        self.release(lease)
        lease.valid_until = 0.0
        _tell(lease.on_lost, lease)

    def _keep(self) -> None:
        """Renew until nothing is held; the next lease starts a new thread."""
        database: psycopg.Connection[Any] | None = None
        while self._goes_on():
            try:
                if database is None or database.closed:
                    database = connect(autocommit=True)
                    database.execute(f"LISTEN {ASKED_CHANNEL}")
                self._renew(database)
                self._rest(database)
            except psycopg.Error as error:
                log.warning("leases could not be renewed: %s", error)
                if database is not None:
                    database.close()
                time.sleep(RENEW_SECONDS)
        if database is not None:
            database.close()

    def _rest(self, database: psycopg.Connection[Any]) -> None:
        """Wait for the next renewal, or until something is asked of a run that is held here."""
        until = time.monotonic() + RENEW_SECONDS
        while (left := until - time.monotonic()) > 0:
            for told in database.notifies(timeout=left, stop_after=1):
                if UUID(told.payload) in self._leases:
                    # Many that are stopped at once are learned of together.
                    time.sleep(GATHER_SECONDS)
                    return

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._leases:
                self._thread = None
            return self._thread is not None

    def _renew(self, database: psycopg.Connection[Any]) -> None:
        with self._lock:
            held = list(self._leases.values())
        if not held:
            return
        asked = time.monotonic()
        parameters = {
            "seconds": LEASE_SECONDS,
            "runs": [lease.run_id for lease in held],
            "tokens": [lease.token for lease in held],
        }
        answered = {row[0]: row[1:] for row in database.execute(_RENEW, parameters).fetchall()}
        for lease in held:
            if lease.run_id not in answered:
                self.lose(lease)
                continue
            lease.valid_until = asked + LEASE_SECONDS
            stops, resumes, reason = answered[lease.run_id]
            if stops or (self.draining and not self._leaving):
                _tell(lease.on_stop, lease)
            elif self._leaving:
                _tell(lease.on_leave, lease)
            if resumes > lease.resumes:
                _tell(partial(lease.on_resume, resumes, reason), lease)


def _tell(callback: Callable[[], None], lease: Lease) -> None:
    try:
        callback()
    except Exception:
        # One owner's trouble must not cost the others their leases.
        log.exception("the owner of run %s could not be told", lease.run_id)


_keepers: dict[int, LeaseKeeper] = {}


def keeper() -> LeaseKeeper:
    """The keeper of this process; a forked child gets its own. Of two that are made at once, one is everybody's."""
    pid = os.getpid()
    return _keepers.get(pid) or _keepers.setdefault(pid, LeaseKeeper())
