"""What exposure ties up, against figures worked by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.engine.builders import Script, bar, buy, engine, fill, sell
from trading.engine.engine import Engine
from trading.engine.instruments import instrument_of
from trading.engine.margin import AccountType, initial, maintenance
from trading.engine.risk import RiskAgent

D = Decimal
STOCK, CRYPTO = instrument_of("SPY"), instrument_of("BTC/USD")
CALL, PUT = instrument_of("TWX140621C00070000"), instrument_of("TWX140621P00070000")
UNLEVERED, CASH, MARGIN = AccountType.UNLEVERED, AccountType.CASH, AccountType.MARGIN


@pytest.mark.parametrize(
    ("account", "instrument", "price", "short", "underlying", "expected"),
    [
        (UNLEVERED, STOCK, "100", False, None, "100"),
        (UNLEVERED, STOCK, "100", True, None, "100"),
        (CASH, STOCK, "100", False, None, "100"),
        # Regulation T: half of it.
        (MARGIN, STOCK, "100", False, None, "50"),
        (MARGIN, STOCK, "100", True, None, "50"),
        (MARGIN, CRYPTO, "60000", False, None, "60000"),
        # A long option is its premium on 100 shares, in every account.
        (MARGIN, CALL, "1.5", False, "68", "150"),
        (UNLEVERED, CALL, "1.5", False, "68", "150"),
        # At 68 a call of 70 is 2 out of the money: 13.6 - 2 = 11.6; at 55: 11 - 15 < 10% of 55.
        (MARGIN, CALL, "1.5", True, "68", "1160"),
        (MARGIN, CALL, "0.1", True, "55", "550"),
        (MARGIN, CALL, "5", True, "75", "1500"),
        # At 72 a put of 70 is 2 out of the money: 14.4 - 2 = 12.4; at 90: 18 - 20 < 10% of the strike.
        (MARGIN, PUT, "1", True, "72", "1240"),
        (MARGIN, PUT, "0.1", True, "90", "700"),
        (MARGIN, PUT, "1", True, None, "1400"),
        # Without leverage: the shares to be bought, or the price of those to be delivered.
        (UNLEVERED, PUT, "1.5", True, "72", "6850"),
        (UNLEVERED, CALL, "1.5", True, "72", "7200"),
    ],
)
def test_opening_one_unit_ties_up(account, instrument, price, short, underlying, expected):
    spot = None if underlying is None else D(underlying)
    assert initial(account, instrument, D(price), short, spot) == D(expected)


@pytest.mark.parametrize(
    ("price", "short", "expected"),
    [
        ("100", False, "25"),
        ("100", True, "30"),
        ("10", True, "5"),
        ("5", True, "5"),
        ("4", True, "4"),
        ("1", True, "2.5"),
    ],
)
def test_holding_one_share_needs(price, short, expected):
    assert maintenance(STOCK, D(price), short) == D(expected)


def test_holding_an_option_needs_what_opening_it_does():
    assert maintenance(CALL, D("1.5"), True, D(68)) == 1160
    assert maintenance(PUT, D("1.5"), False, D(68)) == 150


def trading(account: AccountType, request, price: str) -> Engine:
    """An account of 10,000 that has traded once at ``price``."""
    machine = Engine("run", Script([request]), RiskAgent(), ("SPY",), D(10_000), account=account)
    (submit,) = machine.on_bar(bar(float(price)))
    machine.on_submitted(submit.order)
    machine.on_update(fill(submit.order, submit.order.qty, price, "e1"))
    return machine


@pytest.mark.parametrize(
    ("account", "request_", "then", "buying_power"),
    [
        # 60 x 100 paid; what is held is worth what it ties up, whatever its price.
        (UNLEVERED, buy(60), 100.0, 4_000),
        (UNLEVERED, buy(60), 120.0, 4_000),
        # Short 60: 16,000 in cash, 6,000 owed and as much again locked.
        (UNLEVERED, sell(60), 100.0, 4_000),
        (UNLEVERED, sell(60), 120.0, 1_600),
        # Half of 6,000, and of 7,200 with an equity of 11,200.
        (MARGIN, buy(60), 100.0, 7_000),
        (MARGIN, buy(60), 120.0, 7_600),
        # Short: equity 10,000 less 3,000; at 120 equity 8,800 less 3,600.
        (MARGIN, sell(60), 100.0, 7_000),
        (MARGIN, sell(60), 120.0, 5_200),
    ],
)
def test_buying_power_is_the_equity_that_nothing_ties_up(account, request_, then, buying_power):
    machine = trading(account, request_, "100")
    machine.on_bar(bar(then, minute=1))
    assert machine.buying_power == buying_power


def test_a_plain_engine_is_unlevered():
    assert engine(Script()).account is AccountType.UNLEVERED
