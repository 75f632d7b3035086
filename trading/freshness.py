"""How long a session's figures are as new as they can be. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from trading.engine.bars import NANOS_PER_SECOND
from trading.engine.errors import InvalidValue
from trading.feeds.base import read_pace
from trading.feeds.resampling import read_timeframe

#: Seconds for what lies between a bar and a page.
GRACE: Final = 15
#: Bars that may pass without a new figure: one, and a half for one that is late.
_BARS: Final = 1.5
_USUAL: Final = "1Min"


def fresh_seconds(feed: Mapping[str, Any] | None) -> int:
    """Seconds after which a figure is old, by the ``kwargs`` of the recipe's feed: figures come with bars, so those of
    a feed of hours are not old after a minute."""
    given = feed or {}
    try:
        bar = read_timeframe(str(given.get("timeframe") or _USUAL)) / NANOS_PER_SECOND
        pace = read_pace(str(given.get("pace") or "1x"))
    except InvalidValue:
        return fresh_seconds(None)
    return GRACE if pace is None else GRACE + math.ceil(_BARS * bar / pace)
