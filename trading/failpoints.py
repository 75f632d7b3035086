"""Points at which a test has the process stop dead, so that what a crash leaves behind can be looked at.

``ALPHASWARM_FAILPOINTS`` names a folder; without it, as in every stack that is not under test, a point costs one
comparison. A file there named after a point, with the name of a signal in it, has the first process that comes to the
point take the file and send that signal to itself: once, however many processes pass, also those that come after it.
The points are:

- ``intended``: the intents are durable, nothing was sent;
- ``sent``: the venue has answered, and nothing of the answer is booked;
- ``before-KIND`` of a record: what the venue or the engine said is known to the process, and not yet written;
- ``in-commit`` and ``after-commit``: all of an append is written, and its transaction is not committed, or it is and
  nobody has heard of it.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

from django.conf import settings

from trading.engine.errors import TradingError

_FOLDER: Final = Path(settings.FAILPOINTS) if settings.FAILPOINTS else None


def reach(point: str, of: str = "") -> None:
    """Come to a point, or to that point ``of`` something."""
    if _FOLDER is not None:
        _stop_at(_FOLDER / f"{point}{of}")


def _stop_at(file: Path) -> None:
    try:
        number = signal.Signals[file.read_text().strip()]
        file.unlink()
    except FileNotFoundError:
        # Nobody wants it, or another process was first.
        return
    os.kill(os.getpid(), number)


def refuse_live() -> None:
    """Raise where a process that a test may stop anywhere is to trade with real money."""
    if _FOLDER is not None:
        raise TradingError("ALPHASWARM_FAILPOINTS is set: unset it to trade with real money")
