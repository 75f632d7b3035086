"""Asking a venue how it is. Nothing is sent but questions, and nothing is waited for without an end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from brokers.base import IBrokerage, VenueAccount, VenueClock, VenuePosition
from brokers.sightings import VenueOrder
from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import Fatal, TradingError

log = logging.getLogger(__name__)

#: Seconds for all questions together.
DEADLINE: Final = 10.0
#: Venues tell whole seconds; beyond this, bars and times in force go wrong.
MOST_SKEW: Final = 2.0
NAMES: Final = ("credentials", "rest", "stream", "clock", "entitlements", "market")
_UNDER_WAY: Final = "Not tested: a session has the account's stream, and a second one could take it away."


class Finding(msgspec.Struct, frozen=True):
    """``ok`` is None where it is not known."""

    ok: bool | None
    says: str


class Findings(msgspec.Struct):
    """What a venue said: a finding for each of `NAMES`, and None for what it did not come to tell."""

    readiness: dict[str, Finding]
    account: VenueAccount | None = None
    positions: list[VenuePosition] | None = None
    orders: list[VenueOrder] | None = None


def probe(make: Callable[[], IBrokerage], *, listen: bool, seconds: float = DEADLINE) -> Findings:
    """Ask what there is to ask; with ``listen``, also whether the stream of order events comes up.

    ``make`` gives an adapter that has contacted nobody yet. What has not come after ``seconds`` counts as missing.
    """
    probing = _Probing(make, listen)
    thread = threading.Thread(target=probing.work, name="venue probe", daemon=True)
    thread.start()
    thread.join(seconds)
    return probing.found(seconds)


class _Probing:
    """A thread's work; what it has found so far can be taken at any time."""

    def __init__(self, make: Callable[[], IBrokerage], listen: bool) -> None:
        self._make = make
        self._listen = listen
        self._so_far = Findings({})
        self._ended = False

    def found(self, seconds: float) -> Findings:
        readiness = dict(self._so_far.readiness)
        late = "Not asked." if self._ended else f"No answer within {seconds:g} s."
        for name in NAMES:
            readiness.setdefault(name, Finding(None, late))
        if not self._ended and readiness["rest"].ok is None:
            readiness["rest"] = Finding(False, late)
        elif not self._ended and readiness["stream"].ok is None:
            readiness["stream"] = Finding(False, f"Order events did not come up within {seconds:g} s.")
        ordered = {name: readiness[name] for name in NAMES}
        return msgspec.structs.replace(self._so_far, readiness=ordered)

    def work(self) -> None:
        try:
            self._note("rest", self._with(self._ask))
            if self._so_far.readiness["rest"].ok:
                self._note("stream", self._with(self._hear) if self._listen else Finding(None, _UNDER_WAY))
        finally:
            self._ended = True

    def _note(self, name: str, finding: Finding) -> None:
        self._so_far.readiness[name] = finding

    def _with(self, ask: Callable[[IBrokerage], Finding]) -> Finding:
        """What a fresh adapter finds; an error is a finding too."""
        try:
            door = self._make()
            try:
                return ask(door)
            finally:
                door.close()
        except Fatal as error:
            if "credentials" in self._so_far.readiness:
                return Finding(False, _sentence(error))
            self._note("credentials", Finding(False, _sentence(error)))
            return Finding(None, "It lets nobody in.")
        except (TradingError, OSError) as error:
            return Finding(False, _sentence(error))
        except Exception as error:
            log.exception("a venue's answer was not understood")
            return Finding(False, f"Its answer was not understood: {error!r}")

    def _ask(self, door: IBrokerage) -> Finding:
        began = time.monotonic()
        door.reach()
        account = self._so_far.account = door.query_account()
        seconds = time.monotonic() - began
        self._note("credentials", Finding(True, f"Taken, for account {account.account}."))
        self._note("entitlements", _entitlements(account))
        self._so_far.positions = door.query_positions()
        self._so_far.orders = door.query_open_orders()
        asked = time.time_ns()
        clock = door.query_clock()
        local = (asked + time.time_ns()) // 2
        self._note("clock", _skew(clock, local))
        self._note("market", _market(clock))
        return Finding(True, f"Answers; connecting and the first answer took {seconds * 1000:.0f} ms.")

    def _hear(self, door: IBrokerage) -> Finding:
        door.connect()
        if door.updates_healthy:
            return Finding(True, "Up: what becomes of orders is heard.")
        return Finding(False, "Connected, but no order events come.")


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _entitlements(account: VenueAccount) -> Finding:
    said = ", ".join(f"{about} {word}" for about, word in account.entitlements.items())
    if account.blocked:
        return Finding(False, f"The venue lets nothing be traded: {account.blocked}.")
    return Finding(True, f"{said[:1].upper()}{said[1:]}.") if said else Finding(None, "The venue says nothing of them.")


def _skew(clock: VenueClock | None, local: int) -> Finding:
    if clock is None:
        return Finding(None, "The venue has no clock to compare with.")
    skew = (local - clock.time) / NANOS_PER_SECOND
    if abs(skew) <= MOST_SKEW:
        return Finding(True, f"This machine's clock is {abs(skew):.1f} s from the venue's.")
    way = "ahead of" if skew > 0 else "behind"
    return Finding(False, f"This machine's clock is {abs(skew):.1f} s {way} the venue's: set it by NTP.")


def _market(clock: VenueClock | None) -> Finding:
    if clock is None or clock.is_open is None:
        return Finding(None, "The venue does not tell; the exchange's calendar decides.")
    return Finding(clock.is_open, "The regular session is open." if clock.is_open else "The regular session is closed.")
