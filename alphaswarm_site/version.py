"""Which program this is: the package's version, and a digest of the code that it runs."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("access", "alphaswarm_site", "brokers", "metadata", "risk", "trading")
DIGITS = 10


def program_version(base: Path) -> str:
    """Such as ``0.1.0+3f2a9c81d0``: the same for the same code below ``base``, wherever that is."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((base / package).rglob("*.py")):
            digest.update(f"{path.relative_to(base).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return f"{version('alphaswarm')}+{digest.hexdigest()[:DIGITS]}"
