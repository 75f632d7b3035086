"""Which version of the program may own runs, so that no two of them trade side by side.

A stack declares its version as it comes up and withdraws it as it goes. A process of another one may look and stop,
but claims nothing; where none is declared, as beside a stack that is down, everybody may.
"""

from __future__ import annotations

from django.conf import settings

from trading.engine.errors import TradingError
from trading.models import Release


class OtherVersion(TradingError):
    """This process is of another version than the stack, so it may own no run."""

    def __init__(self, declared: str) -> None:
        mine = settings.PROGRAM_VERSION
        super().__init__(f"the stack runs version {declared}, this process {mine}: `alphaswarm restart` makes them one")


def declare() -> None:
    """Let processes of this one's version claim runs, and no other."""
    Release.objects.update_or_create(id=1, defaults={"version": settings.PROGRAM_VERSION})


def withdraw() -> None:
    """Take back what this version has declared; what another one has since stands."""
    Release.objects.filter(version=settings.PROGRAM_VERSION).delete()


def check() -> None:
    """Raise `OtherVersion` where this process may own no run."""
    version = declared()
    if version not in (None, settings.PROGRAM_VERSION):
        raise OtherVersion(version)


def declared() -> str | None:
    return Release.objects.values_list("version", flat=True).first()
