"""The fees that US regulators have sellers pay, as brokers pass them on, by the day of the trade.

SEC: Section 31 of the Securities Exchange Act, dollars per million of the proceeds of sales of stocks and equity
options (SEC, "Fee Rate Advisories" and, later, "Order Making Annual Adjustments to Transaction Fee Rates" in the
Federal Register). FINRA: the Trading Activity Fee, dollars per share sold with a cap per trade, and per contract sold
(FINRA By-Laws, Schedule A, section 1; Regulatory Notices 11-27 and 12-06, and their successors). Before its first row a
fee is taken to be zero. The rates are those known in November 2026; a new one is a new row.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from brokers.executions import Execution
from brokers.working import ZERO
from trading.engine.instruments import AssetClass

_CENT: Final = Decimal("0.01")
_MILLION: Final = Decimal(1_000_000)
_NANOS: Final = 1_000_000_000
_NEW_YORK: Final = ZoneInfo("America/New_York")


class Taf(NamedTuple):
    """FINRA's fee: per share and at most per trade of shares, and per option contract."""

    per_share: Decimal
    cap: Decimal
    per_contract: Decimal


#: Dollars per million of proceeds, from this day on.
SECTION_31: Final[tuple[tuple[date, Decimal], ...]] = tuple(
    (date.fromisoformat(day), Decimal(rate))
    for day, rate in (
        ("1997-01-01", "33.30"),
        ("2001-12-28", "15.00"),
        ("2002-04-01", "30.10"),
        ("2003-03-22", "25.20"),
        ("2003-04-01", "46.80"),
        ("2004-02-22", "39.00"),
        ("2004-04-01", "23.40"),
        ("2005-01-07", "32.90"),
        ("2005-04-01", "41.80"),
        ("2005-12-22", "30.70"),
        ("2007-03-17", "15.30"),
        ("2008-01-25", "11.00"),
        ("2008-04-01", "5.60"),
        ("2009-04-10", "25.70"),
        ("2010-01-15", "12.70"),
        ("2010-04-01", "16.90"),
        ("2011-01-21", "19.20"),
        ("2012-02-21", "18.00"),
        ("2012-04-01", "22.40"),
        ("2013-05-25", "17.40"),
        ("2014-03-18", "22.10"),
        ("2015-02-14", "18.40"),
        ("2016-02-16", "21.80"),
        ("2017-07-04", "23.10"),
        ("2018-05-22", "13.00"),
        ("2019-04-16", "20.70"),
        ("2020-02-18", "22.10"),
        ("2021-02-25", "5.10"),
        ("2022-05-14", "22.90"),
        ("2023-02-27", "8.00"),
        ("2024-05-22", "27.80"),
        ("2025-05-14", "0.00"),
        ("2026-04-04", "20.60"),
    )
)
#: From this day on.
TAF: Final[tuple[tuple[date, Taf], ...]] = tuple(
    (date.fromisoformat(day), Taf(Decimal(per_share), Decimal(cap), Decimal(per_contract)))
    for day, per_share, cap, per_contract in (
        ("2004-10-01", "0.000075", "3.75", "0.002"),
        ("2011-07-01", "0.000090", "4.50", "0.002"),
        ("2012-03-01", "0.000095", "4.75", "0.002"),
        ("2012-07-01", "0.000119", "5.95", "0.002"),
        ("2022-01-01", "0.000130", "6.49", "0.00218"),
        ("2023-01-01", "0.000145", "7.27", "0.00244"),
        ("2024-01-01", "0.000166", "8.30", "0.00279"),
        ("2026-01-01", "0.000195", "9.79", "0.00329"),
    )
)


def us_regulatory(execution: Execution) -> Decimal:
    """The two fees of a sale of stocks or options, each rounded up to the cent; zero for a purchase and for crypto."""
    asset = execution.instrument.asset
    if execution.buy or asset is AssetClass.CRYPTO:
        return ZERO
    day = datetime.fromtimestamp(execution.time // _NANOS, UTC).astimezone(_NEW_YORK).date()
    return section_31(day, execution.notional) + trading_activity(day, execution.qty, asset is AssetClass.OPTION)


def section_31(day: date, proceeds: Decimal) -> Decimal:
    """The SEC's fee on the proceeds of a sale (dollars), rounded up to the cent."""
    index = bisect_right(SECTION_31, day, key=lambda row: row[0])
    rate = SECTION_31[index - 1][1] if index else ZERO
    return (proceeds * rate / _MILLION).quantize(_CENT, ROUND_CEILING)


def trading_activity(day: date, qty: Decimal, option: bool) -> Decimal:
    """FINRA's fee on shares, or on option contracts, sold in one trade (dollars), rounded up to the cent."""
    index = bisect_right(TAF, day, key=lambda row: row[0])
    if not index:
        return ZERO
    taf = TAF[index - 1][1]
    fee = qty * taf.per_contract if option else min(qty * taf.per_share, taf.cap)
    return fee.quantize(_CENT, ROUND_CEILING)
