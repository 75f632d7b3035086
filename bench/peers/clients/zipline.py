"""zipline-reloaded in minute mode, around the clock; it fills at the next close and takes whole days.

Its bars go through a bundle, which is written beforehand.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

warnings.filterwarnings("ignore")
ROOT = tempfile.mkdtemp(prefix="zipline-")
os.environ["ZIPLINE_ROOT"] = ROOT
atexit.register(shutil.rmtree, ROOT, ignore_errors=True)

import numpy as np  # noqa: E402  (zipline reads its folder and warns while it is imported)
import pandas as pd  # noqa: E402
import zipline  # noqa: E402
from zipline.api import order, set_commission, set_slippage, sid  # noqa: E402
from zipline.data.bundles import ingest, register  # noqa: E402
from zipline.finance.commission import NoCommission  # noqa: E402
from zipline.finance.slippage import NoSlippage  # noqa: E402
from zipline.utils.calendar_utils import get_calendar  # noqa: E402

from bench.peers.client import Prepared  # noqa: E402
from bench.peers.frames import frame  # noqa: E402
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work  # noqa: E402

VERSION = zipline.__version__
DAY = 1440
FIRST = pd.Timestamp("2023-01-02")
RESAMPLED = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def prepare(work: Work) -> Prepared:
    work.count -= work.count % DAY
    last = FIRST + pd.Timedelta(days=work.count // DAY - 1)
    _bundle(work, last)
    calendar = get_calendar("24/7")
    made: list[pd.DataFrame] = []

    def initialize(context: Any) -> None:
        set_slippage(NoSlippage())
        set_commission(NoCommission())
        context.assets = [sid(number) for number in range(len(work.symbols))]
        context.bars = 0

    def run() -> None:
        made.append(
            zipline.run_algorithm(
                start=FIRST,
                end=last,
                initialize=initialize,
                handle_data=_handler(work.case.z_score),
                capital_base=work.case.cash,
                data_frequency="minute",
                bundle="bench",
                trading_calendar=calendar,
                benchmark_returns=pd.Series(0.0, index=calendar.sessions_in_range(FIRST, last)),
            )
        )

    def outcome() -> Outcome:
        days = made[0]
        return Outcome(int(sum(len(one) for one in days["transactions"])), days["portfolio_value"].iloc[-1])

    return run, outcome


def _handler(z_score: bool) -> Any:
    window = WINDOW if z_score else SLOW
    judge = _judge_score if z_score else _judge_cross

    def handle(context: Any, data: Any) -> None:
        context.bars += 1
        if context.bars < window:
            return
        closes = data.history(context.assets, "close", window, "1m")
        if isinstance(closes, pd.Series):
            closes = closes.unstack()
        positions = context.portfolio.positions
        for asset, values in zip(context.assets, closes.to_numpy().T, strict=True):
            wanted = judge(values)
            held = positions[asset].amount if asset in positions else 0
            if wanted > 0 and not held:
                order(asset, QTY)
            elif wanted < 0 and held:
                order(asset, -QTY)

    return handle


def _judge_cross(closes: Any) -> int:
    fast, slow = closes[-FAST:].mean(), closes.mean()
    return int(fast > slow) - int(fast < slow)


def _judge_score(closes: Any) -> int:
    deviation = closes.std()
    if deviation <= 0:
        return 0
    score = (closes[-1] - closes.mean()) / deviation
    return int(score < ENTRY) - int(score > EXIT)


def _bundle(work: Work, last: pd.Timestamp) -> None:
    frames = [frame(bars, work.times, zone="UTC") for bars in work.arrays()]
    equities = {
        "symbol": work.symbols,
        "asset_name": "bench",
        "start_date": FIRST,
        "end_date": last,
        "first_traded": FIRST,
        "auto_close_date": last + pd.Timedelta(days=10),
        "exchange": "BENCH",
    }
    exchange = {"exchange": ["BENCH"], "canonical_name": ["BENCH"], "country_code": ["US"]}

    def days() -> Iterator[tuple[int, pd.DataFrame]]:
        for number, minutes in enumerate(frames):
            day = minutes.resample("1D").agg(RESAMPLED)
            day["volume"] = 1e6
            yield number, day.tz_localize(None)

    def write(
        environ: Any, assets: Any, minute_bars: Any, daily_bars: Any, adjustments: Any, *_: Any, **__: Any
    ) -> None:
        assets.write(equities=pd.DataFrame(equities, index=np.arange(len(frames))), exchanges=pd.DataFrame(exchange))
        minute_bars.write(list(enumerate(frames)), show_progress=False)
        daily_bars.write(days(), show_progress=False)
        adjustments.write()

    register("bench", write, calendar_name="24/7", start_session=FIRST, end_session=last, minutes_per_day=DAY)
    ingest("bench", show_progress=False)
