from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.results.builders import DAY, FIRST, fill
from trading.results import Trade, round_trips
from trading.results.figures import trade_figures


def told(trades):
    return [(one.side, str(one.qty), str(one.entry_price), str(one.exit_price), str(one.pnl)) for one in trades]


def test_a_round_trip_tells_both_ends_and_what_was_left_after_fees():
    trades = round_trips([fill(0, "buy", 10, 100, fee="1"), fill(3, "sell", 10, 105, fee="2")])
    assert trades == [
        Trade("SPY", "buy", Decimal(10), FIRST, FIRST + 3 * DAY, Decimal(100), Decimal(105), Decimal(3), Decimal(47))
    ]
    assert (trades[0].share, trades[0].seconds) == (0.047, 3 * 86_400)


def test_first_in_is_first_out():
    fills = [fill(0, "buy", 10, 100), fill(1, "buy", 10, 110), fill(2, "sell", 15, 120)]
    assert told(round_trips(fills)) == [("buy", "10", "100", "120", "200"), ("buy", "5", "110", "120", "50")]


def test_a_short_gains_when_the_price_falls():
    assert told(round_trips([fill(0, "sell", 10, 100), fill(1, "buy", 10, 90)])) == [("sell", "10", "100", "90", "100")]


def test_a_fill_that_turns_the_position_over_closes_and_opens():
    fills = [fill(0, "buy", 10, 100), fill(1, "sell", 25, 110), fill(2, "buy", 15, 100)]
    assert told(round_trips(fills)) == [("buy", "10", "100", "110", "100"), ("sell", "15", "110", "100", "150")]


def test_an_options_result_counts_its_multiplier():
    option = "TWX140621C00070000"
    trades = round_trips([fill(0, "buy", 2, "1.5", option), fill(1, "sell", 2, 2, option)])
    assert (str(trades[0].pnl), round(trades[0].share, 4)) == ("100.0", 0.3333)


def test_what_is_still_open_is_no_trade_and_symbols_are_apart():
    assert round_trips([fill(0, "buy", 10, 100), fill(1, "sell", 10, 100, "BAC")]) == []


FILLS = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 500), st.integers(1, 10_000), st.integers(0, 300)),
    max_size=40,
)


@given(FILLS)
def test_no_money_is_lost_between_fills_and_trades(rows):
    """Closed out at the end, the sum of all results is what cash changed by but for rounded fees."""
    fills = [
        fill(day, side, qty, Decimal(cents) / 100, fee=str(Decimal(fee) / 100))
        for day, (side, qty, cents, fee) in enumerate(rows)
    ]
    left = sum((one.qty if one.side == "buy" else -one.qty for one in fills), Decimal(0))
    if left:
        fills.append(fill(len(rows), "sell" if left > 0 else "buy", abs(left), 50))
    cash = sum(((-1 if one.side == "buy" else 1) * one.qty * one.price - one.fee for one in fills), Decimal(0))
    assert round(sum((one.pnl for one in round_trips(fills)), Decimal(0)), 9) == round(cash, 9)


def test_figures_of_trades_by_hand():
    fills = [
        *(fill(0, "buy", 1, 100), fill(1, "sell", 1, 130)),
        *(fill(2, "buy", 1, 100), fill(4, "sell", 1, 90)),
        *(fill(5, "buy", 1, 100), fill(6, "sell", 1, 95)),
        *(fill(7, "buy", 1, 100), fill(7, "sell", 1, 100)),
    ]
    assert trade_figures(round_trips(fills)) == {
        "trades": 4,
        "win_rate": 0.25,
        "profit_factor": 2.0,
        "average_trade": "3.75",
        "best_trade": "30",
        "worst_trade": "-10",
        "average_hold": 86_400.0,
    }


def test_without_a_loss_there_is_no_profit_factor_and_without_a_trade_no_figure():
    won = trade_figures(round_trips([fill(0, "buy", 1, 100), fill(1, "sell", 1, 130)]))
    assert (won["win_rate"], won["profit_factor"]) == (1.0, None)
    none = trade_figures([])
    assert none.pop("trades") == 0
    assert set(none.values()) == {None}
