"""What regulators have a seller pay, against figures worked by hand."""

from datetime import date
from decimal import Decimal

import pytest

from brokers.executions import Execution
from brokers.regulatory import SECTION_31, TAF, section_31, trading_activity, us_regulatory
from tests.brokers.builders import DAY, SECOND
from trading.engine.instruments import instrument_of

#: 2024-05-22 15:00 in New York.
MAY_2024 = 1_716_404_400 * SECOND


def execution(symbol="SPY", buy=False, qty="100", price="500", time=MAY_2024) -> Execution:
    return Execution(instrument_of(symbol), buy, Decimal(qty), Decimal(price), time, first=True)


@pytest.mark.parametrize(
    ("day", "proceeds", "fee"),
    [
        # 50,000 x 27.80 / 1,000,000 = 1.39; the day before 8.00: 0.40.
        (date(2024, 5, 22), "50000", "1.39"),
        (date(2024, 5, 21), "50000", "0.40"),
        # 12,345.67 x 22.10 / 1,000,000 = 0.2728.., rounded up.
        (date(2014, 3, 18), "12345.67", "0.28"),
        (date(2025, 6, 2), "1000000", "0"),
        (date(1990, 1, 2), "1000000", "0"),
    ],
)
def test_the_secs_fee_is_a_rate_of_the_proceeds_on_the_day(day, proceeds, fee):
    assert section_31(day, Decimal(proceeds)) == Decimal(fee)


@pytest.mark.parametrize(
    ("day", "qty", "option", "fee"),
    [
        # 1,000 x 0.000166 = 0.166, rounded up.
        (date(2024, 5, 22), "1000", False, "0.17"),
        (date(2024, 5, 22), "100000", False, "8.30"),
        (date(2012, 3, 1), "50001", False, "4.75"),
        # 10 x 0.00279 = 0.0279, rounded up.
        (date(2024, 5, 22), "10", True, "0.03"),
        (date(2026, 1, 1), "10000", False, "1.95"),
        (date(2001, 1, 2), "1000", False, "0"),
    ],
)
def test_finras_fee_is_per_share_with_a_cap_or_per_contract(day, qty, option, fee):
    assert trading_activity(day, Decimal(qty), option) == Decimal(fee)


def test_a_sale_pays_both_and_a_purchase_none():
    assert us_regulatory(execution()) == Decimal("1.41")
    assert us_regulatory(execution(buy=True)) == 0
    assert us_regulatory(execution("BTC/USD")) == 0


def test_an_options_fee_is_reckoned_from_its_multiplied_premium_and_its_contracts():
    # 10 contracts at 5.00 on 100 units: 5,000 x 27.80 / 1,000,000 = 0.139; 10 x 0.00279 = 0.0279.
    assert us_regulatory(execution("TWX240621C00070000", qty="10", price="5")) == Decimal("0.14") + Decimal("0.03")


def test_the_day_is_new_yorks():
    # 23:00 UTC on the 21st is still the 21st there, and so is 03:00 UTC on the 22nd.
    assert us_regulatory(execution(time=MAY_2024 - 16 * 3600 * SECOND)) == Decimal("0.42")
    assert us_regulatory(execution(time=MAY_2024 - DAY)) == Decimal("0.42")


@pytest.mark.parametrize("table", [SECTION_31, TAF])
def test_the_tables_are_in_order(table):
    days = [row[0] for row in table]
    assert days == sorted(set(days))
