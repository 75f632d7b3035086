"""Where this host keeps its gate and its kill file: in the stack's folder, beside each other."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def gate() -> Path:
    return Path(settings.ALPHASWARM_VAR) / "gate"


def kill() -> Path:
    return Path(settings.ALPHASWARM_VAR) / "kill"
