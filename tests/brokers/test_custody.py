"""What the venue does by itself: nights, margin calls, the expiry of options; figures worked by hand."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.custody import intrinsic
from brokers.financing import Financing, read_financing
from brokers.sim import SimulatedBrokerage
from tests.brokers.builders import MINUTE, Venue, buy, sell
from tests.engine.builders import Script, engine
from trading.backtest import Curve, drive
from trading.engine.bars import Bar, to_nanos
from trading.engine.errors import InvalidValue
from trading.engine.instruments import OptionTerms, Right
from trading.engine.orders import OrderRequest, OrderType, Side, TimeInForce
from trading.engine.records import Kind
from trading.engine.updates import CashUpdate, ExternalOrder

CALL, PUT = "TWX140621C00070000", "TWX140621P00070000"


def at(text: str) -> int:
    """A moment in UTC."""
    return to_nanos(datetime.fromisoformat(text).replace(tzinfo=UTC))


def priced(time: str, price: float, symbol: str = "SPY") -> Bar:
    return Bar(symbol, at(time), price, price, price, price, 1e6)


def cash_told(venue: Venue) -> list[tuple[str, Decimal, str]]:
    return [(one.code, one.amount, one.symbol) for one in venue.told if isinstance(one, CashUpdate)]


def test_a_short_costs_its_value_times_the_rate_for_each_night():
    rates = Financing(borrow=Decimal("3.6"), borrow_of={"GME": Decimal(36)})
    # 10,000 x 3.6% / 360 = 1.00 a night.
    assert rates.borrow_cost("SPY", Decimal(10_000), 1) == Decimal("1.00")
    assert rates.borrow_cost("GME", Decimal(10_000), 3) == Decimal("30.00")
    assert rates.borrow_cost("SPY", Decimal(10_001), 1) == Decimal("1.01")


def test_interest_is_earned_on_a_balance_and_paid_on_a_debt():
    rates = Financing(credit=Decimal(2), debit=Decimal("7.2"))
    # 100,000 x 2% / 360 = 5.5555; 50,000 x 7.2% / 360 = 10.
    assert rates.interest(Decimal(100_000), 1) == Decimal("5.55")
    assert rates.interest(Decimal(-50_000), 1) == Decimal("-10.00")
    assert rates.interest(Decimal(-50_000), 3) == Decimal("-30.00")


def test_nights_are_charged_with_the_first_bar_after_a_close_the_weekend_on_friday():
    venue = Venue(price=None, borrow_rate={"SPY": "3.6"}, interest={"credit": 2})
    venue.see(priced("2024-03-07 20:00", 100.0))
    venue.submit(sell(100, created_at=at("2024-03-07 20:00")))
    venue.see(priced("2024-03-07 20:58", 100.0), priced("2024-03-07 20:59", 100.0))
    assert cash_told(venue) == []
    # Thursday's close: a short worth 10,000 for a night; 110,000 in cash, of which its proceeds of 10,000 earn nothing.
    venue.see(priced("2024-03-08 14:30", 100.0))
    assert cash_told(venue) == [("borrow", Decimal("-1.00"), "SPY"), ("interest", Decimal("5.55"), "")]
    venue.told.clear()
    venue.see(priced("2024-03-08 20:59", 110.0), priced("2024-03-11 13:30", 100.0))
    # Friday's close: the short is worth 11,000, for three nights: 3.30; 99,004.55 x 2% / 360 x 3 = 16.50.
    assert cash_told(venue) == [("borrow", Decimal("-3.30"), "SPY"), ("interest", Decimal("16.50"), "")]
    assert venue.sim.query_account().cash == Decimal("110000") + Decimal("4.55") + Decimal("13.20")


def test_sessions_without_bars_are_charged_all_the_same():
    venue = Venue(price=None, interest={"credit": 36})
    venue.see(priced("2024-03-07 20:00", 100.0), priced("2024-03-12 14:00", 100.0))
    # Thursday, Friday (three nights) and Monday: 100 a night of 100,000, and what that earns.
    assert [amount for _, amount, _ in cash_told(venue)] == [Decimal(100), Decimal("300.30"), Decimal("100.40")]


def test_without_rates_nothing_is_told():
    venue = Venue(price=None)
    venue.see(priced("2024-03-07 20:00", 100.0), priced("2024-03-12 14:00", 100.0))
    assert venue.told == []


@pytest.mark.parametrize(
    ("borrow", "interest", "message"),
    [
        (-1, None, "borrow_rate must be zero or more"),
        ({"SPY": "high"}, None, "borrow_rate.SPY must be a number"),
        (None, {"rate": 1}, "interest.rate is not known"),
        (None, 3, "interest must be a mapping"),
    ],
)
def test_wrong_rates_are_named(borrow, interest, message):
    with pytest.raises(InvalidValue, match=message):
        read_financing(borrow, interest)


def test_an_account_under_its_maintenance_at_the_close_is_closed_out_at_the_next_open():
    venue = Venue(price=None, account="margin", starting_cash=10_000)
    venue.see(priced("2024-03-07 20:00", 100.0))
    venue.submit(buy(190, created_at=at("2024-03-07 20:00")))
    resting = venue.submit(buy(1, OrderType.LIMIT, limit_price="1", created_at=at("2024-03-07 20:00")))
    # Cash -9,000. At 63 the equity is 2,970, the maintenance a quarter of 11,970: 2,992.50. At 64: 3,160 of 3,040.
    venue.see(priced("2024-03-07 20:01", 100.0), priced("2024-03-07 20:58", 63.0), priced("2024-03-07 20:59", 64.0))
    venue.see(priced("2024-03-08 14:30", 63.0))
    assert not any(isinstance(one, ExternalOrder) for one in venue.told)
    venue.see(priced("2024-03-08 20:59", 63.0), priced("2024-03-11 13:30", 60.0))
    (told,) = (one for one in venue.told if isinstance(one, ExternalOrder))
    assert (told.reason, told.terms.side, told.terms.qty) == ("margin call", Side.SELL, 190)
    assert venue.kinds(resting) == ["accepted", "cancelled"]
    assert venue.sim.query_positions() == []
    assert venue.sim.query_account().cash == -9_000 + 190 * 60


def test_other_accounts_are_not_called():
    venue = Venue(price=None, account="unlevered", starting_cash=10_000)
    venue.see(priced("2024-03-07 20:00", 100.0))
    venue.submit(buy(190, created_at=at("2024-03-07 20:00")))
    venue.see(priced("2024-03-07 20:01", 100.0), priced("2024-03-07 20:59", 10.0), priced("2024-03-08 14:30", 10.0))
    assert not any(isinstance(one, ExternalOrder) for one in venue.told)


def test_the_intrinsic_value_is_what_exercise_is_worth():
    call = OptionTerms("TWX", datetime(2014, 6, 21, tzinfo=UTC).date(), Decimal(70), Right.CALL)
    put = OptionTerms("TWX", call.expiry, Decimal(70), Right.PUT)
    assert [intrinsic(call, Decimal("72.5")), intrinsic(call, Decimal(69))] == [Decimal("2.5"), 0]
    assert [intrinsic(put, Decimal("72.5")), intrinsic(put, Decimal(69))] == [0, 1]


def options(side: Side = Side.BUY, symbol: str = CALL) -> tuple[Venue, ExternalOrder]:
    """Three contracts, traded at 2.00 on the Friday before their Saturday, and held into the next week."""
    venue = Venue(price=None)
    made = at("2014-06-20 19:00")
    venue.see(priced("2014-06-20 19:00", 71.0, "TWX"), priced("2014-06-20 19:00", 2.0, symbol))
    venue.submit((buy if side is Side.BUY else sell)(3, symbol=symbol, created_at=made))
    resting = venue.submit(buy(1, OrderType.LIMIT, symbol=symbol, limit_price="0.01", created_at=made))
    venue.see(priced("2014-06-20 19:01", 2.0, symbol), priced("2014-06-20 19:59", 72.5, "TWX"))
    venue.see(priced("2014-06-23 13:30", 60.0, "TWX"))
    assert venue.kinds(resting) == ["accepted", "expired"]
    (told,) = (one for one in venue.told if isinstance(one, ExternalOrder))
    return venue, told


def test_an_option_is_paid_its_intrinsic_value_at_the_last_close_before_its_expiry():
    venue, told = options()
    assert (told.reason, told.terms.side, told.terms.qty) == ("exercised at expiry", Side.SELL, 3)
    assert venue.sim.query_positions() == []
    # 3 contracts on 100: bought at 2.00, paid 72.50 - 70.
    assert venue.sim.query_account().cash == 100_000 - 600 + 750


def test_the_writer_of_an_option_pays_it():
    venue, told = options(Side.SELL)
    assert told.terms.side is Side.BUY
    assert venue.sim.query_account().cash == 100_000 + 600 - 750


def test_an_option_out_of_the_money_expires_worthless():
    venue, told = options(symbol=PUT)
    assert told.reason == "expired worthless"
    assert venue.sim.query_account().cash == 100_000 - 600


def test_an_option_after_its_expiry_or_without_its_underlying_is_not_taken():
    venue, _ = options()
    late = venue.submit(buy(1, symbol=CALL))
    assert venue.updates(late)[0].reason == f"{CALL} has expired"
    alone = Venue()
    unknown = alone.submit(buy(1, symbol="SPY991217C00100000"), linked := sell(1, symbol="SPY991217C00100000"))
    assert alone.kinds(unknown) == alone.kinds(linked) == ["rejected"]
    other = alone.submit(buy(1, symbol="QQQ491217C00100000"))
    assert "add QQQ to the universe" in alone.updates(other)[0].reason


def test_the_engine_books_an_expiry_as_the_venue_does():
    request = OrderRequest(symbol=CALL, side=Side.BUY, qty=Decimal(3), time_in_force=TimeInForce.GTC)
    machine = engine(Script([], [request]), universe=("TWX", CALL))
    venue = SimulatedBrokerage()
    venue.interval = MINUTE
    bars = [
        priced("2014-06-20 19:00", 71.0, "TWX"),
        priced("2014-06-20 19:00", 2.0, CALL),
        priced("2014-06-20 19:01", 2.0, CALL),
        priced("2014-06-20 19:59", 72.5, "TWX"),
        priced("2014-06-23 13:30", 60.0, "TWX"),
    ]
    drive(machine, venue, bars, Curve())
    assert machine.cash == venue.query_account().cash == Decimal(100_150)
    assert machine.qty(CALL) == 0
    assert [record.kind for record in machine.records][-2:] == [Kind.ORDER_EXTERNAL, Kind.ORDER_FILLED]
