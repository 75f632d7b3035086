"""The bars as pandas frames, for the systems that want them so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.peers.workloads import FIELDS


def frame(
    values: NDArray[np.float64], times: NDArray[np.int64], names: Sequence[str] = FIELDS, zone: str | None = None
) -> pd.DataFrame:
    """One row per stamp; without ``zone`` the stamps are naive, in UTC."""
    index = pd.DatetimeIndex(times.astype("datetime64[ns]"))
    return pd.DataFrame(values, columns=list(names), index=index if zone is None else index.tz_localize(zone))
