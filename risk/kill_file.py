"""The local kill file: stopping this host without a database.

While ``$ALPHASWARM_VAR/kill`` exists, whatever it holds and whoever made it (``touch`` will do), the gatekeeper keeps
the order gate closed. It is a bridge, not a second switch: as soon as the database can be reached the row is engaged
on its behalf, and only after that is committed is the file removed. So nothing ever has to decide between the two.
"""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from risk import places


class KillOrder(msgspec.Struct, frozen=True):
    """What a kill file says. ``mark`` tells this very file from one that is written later in its place."""

    mark: str
    reason: str
    by: str
    flatten: bool = False


class KillFile:
    def __init__(self, path: Path | None = None) -> None:
        self.path = path or places.kill()

    def mark(self) -> str | None:
        """The mark of the file that is there, or None; costs one stat. What cannot be looked at counts as there."""
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"unreadable-{error.errno}"
        return f"{status.st_ino}-{status.st_mtime_ns}"

    def read(self) -> KillOrder | None:
        mark = self.mark()
        if mark is None:
            return None
        try:
            content = json.loads(self.path.read_text())
            return KillOrder(mark, str(content["reason"]), str(content["by"]), content.get("flatten") is True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return KillOrder(mark, f"the file {self.path} is there", "kill file")

    def write(self, reason: str, by: str, flatten: bool = False) -> str:
        """Close the gate of this host; returns the file's mark. Raises OSError where it cannot be written."""
        draft = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}")
        content = {"reason": reason, "by": by, "flatten": flatten, "at": datetime.now(UTC).isoformat()}
        with draft.open("w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
            status = os.fstat(file.fileno())
        draft.replace(self.path)
        return f"{status.st_ino}-{status.st_mtime_ns}"

    def remove(self, mark: str | None) -> None:
        """Remove the file if it is still the one with this mark. Only once its engagement is committed."""
        if mark is not None and self.mark() == mark:
            self.path.unlink(missing_ok=True)
