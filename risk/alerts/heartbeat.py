"""The dead man's switch: a call to an outside service each minute while all is well, so that silence alarms it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

import msgspec
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from risk.alert_models import HeartbeatState
from risk.alerts import channels
from risk.alerts.channels import NotDelivered
from risk.alerts.errands import Errands

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 60.0
#: After one that did not arrive, or was withheld.
SOON_SECONDS: Final = 10.0


class _Sent(msgspec.Struct, frozen=True):
    error: str


class _Heart:
    def __init__(self) -> None:
        self.what_is_wrong: Callable[[], str] = lambda: "nobody has said how to tell whether all is well"
        self.due = 0.0
        self.errands: Errands[_Sent] = Errands()


_heart = _Heart()


def register(what_is_wrong: Callable[[], str]) -> None:
    """Have this function asked before each beat: what is wrong now, in a sentence; empty while all is well."""
    _heart.what_is_wrong = what_is_wrong


def beat(patience: float = 0.0) -> None:
    """One round: write down what became of the last beat, and send one if it is time and all is well."""
    url = settings.HEARTBEAT_URL
    if not url:
        return
    _settle(0.0)
    if time.monotonic() < _heart.due or _heart.errands.busy("heartbeat"):
        return
    wrong = _wrong()
    _heart.due = time.monotonic() + (SOON_SECONDS if wrong else EVERY_SECONDS)
    if wrong:
        log.warning("no heartbeat: %s", wrong)
        _keep(withheld=wrong, withheld_at=timezone.now())
        return
    _heart.errands.start("heartbeat", lambda: _call(url))
    if patience:
        _settle(patience)


def _wrong() -> str:
    try:
        return _heart.what_is_wrong()
    except Exception as error:
        return f"whether all is well cannot be told ({type(error).__name__})"


def _call(url: str) -> _Sent:
    try:
        channels.call("GET", url)
    except NotDelivered as error:
        return _Sent(str(error))
    except Exception as error:
        return _Sent(f"failed ({type(error).__name__})")
    return _Sent("")


def _settle(patience: float) -> None:
    for sent in _heart.errands.results(patience):
        now = timezone.now()
        if sent.error:
            _heart.due = min(_heart.due, time.monotonic() + SOON_SECONDS)
            log.warning("the heartbeat did not arrive: %s", sent.error)
            _keep(failed_at=now, error=sent.error, withheld="")
        else:
            _keep(sent_at=now, withheld="")


def _keep(**figures: object) -> None:
    try:
        HeartbeatState.objects.update_or_create(pk=1, defaults=figures)
    except (DatabaseError, InterfaceError):
        log.warning("what became of the heartbeat is not kept: the database does not answer")
