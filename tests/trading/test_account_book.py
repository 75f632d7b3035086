"""No sequence of orders from concurrent senders brings an account over a limit, and nobody is denied without need."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from risk.account_limits import AccountLimits, Opening
from risk.breaker import Call
from risk.models import Account, OrderGrant
from tests.ledger.builders import Trading, new_run
from tests.risk.waiting import eventually
from trading import account_book, grants, ledger
from trading.account_book import AccountBook
from trading.connections import connect, conninfo
from trading.engine.orders import OrderStatus, Side
from trading.engine.records import Kind
from trading.models import AccountEntry, OutsideOrder
from trading.tickers import ticker_of

pytestmark = pytest.mark.django_db(transaction=True)

PRICE = Decimal(100)
SYMBOLS = ("SPY", "QQQ")
LIMITS = {
    "max_gross_exposure": 2000,
    "max_net_exposure": 1500,
    "max_position_value": 1200,
    "max_order_value": 600,
    "max_open_orders": 6,
}


@pytest.fixture
def writer():
    writer = ledger.LedgerWriter(conninfo())
    yield writer
    writer.close()


@pytest.fixture
def books():
    """One for each host that there might be."""
    books = [AccountBook(conninfo()) for _ in range(4)]
    yield books
    for book in books:
        book.close()


def account(**limits):
    made = Account.objects.create(name=f"alpaca-{uuid.uuid4().hex[:12]}", limits=limits)
    return made.name


class Truth:
    """What the venue knows, long before the ledger does: reckoned here by other means than the product's."""

    def __init__(self):
        self.lock = threading.Lock()
        self.held = defaultdict(Decimal)
        self.open = {}
        self.most = defaultdict(Decimal)

    def look(self, entered):
        """Note how far the account may come; of the net, only where an order that may open something ``entered``."""
        worst, net_high, net_low = defaultdict(Decimal), Decimal(0), Decimal(0)
        for run, symbol in {*self.held, *((run, symbol) for run, symbol, _, _ in self.open.values())}:
            left = [(side, qty) for r, s, side, qty in self.open.values() if (r, s) == (run, symbol)]
            high = self.held[run, symbol] + sum(qty for side, qty in left if side is Side.BUY)
            low = self.held[run, symbol] - sum(qty for side, qty in left if side is Side.SELL)
            worst[symbol] += max(abs(high), abs(low)) * PRICE
            net_high, net_low = net_high + high * PRICE, net_low - low * PRICE
        figures = {
            "max_gross_exposure": sum(worst.values()),
            "max_position_value": max(worst.values(), default=Decimal(0)),
            "max_open_orders": Decimal(len(self.open)),
        }
        if entered is not None:
            figures["max_net_exposure"] = net_high if entered is Side.BUY else net_low
        for name, figure in figures.items():
            self.most[name] = max(self.most[name], figure)
        return figures


class Sender:
    """One run of the account: asks, sends, and hears of fills and cancels, which it writes when it gets to it."""

    def __init__(self, name, book, writer, truth):
        self.account, self.book, self.writer, self.truth = name, book, writer, truth
        self.run = new_run(account=name)
        self.trading = Trading(self.run)
        self.working = []
        self.answers = []

    def write(self, record):
        return self.writer.append(ledger.Append(self.run.id, None, [record]))

    def order(self, symbol, side, qty):
        key = (self.run.id, symbol)
        held = self.truth.held[key]
        towards = -held if side is Side.BUY else held
        busy = any(order.symbol == symbol for order in self.working)
        exits = towards >= qty and not busy
        order = self.trading.order(symbol, side, qty, limit=PRICE)
        self.write(self.trading.intend(order)).result(10)
        if not exits:
            asked = Opening(order.id, str(self.run.id), symbol, side, qty, PRICE)
            denial = self.book.ask(self.account, [asked]).result(10)
            self.answers.append(denial)
            if denial is not None:
                self.write(self.trading.step(order, OrderStatus.DENIED, Kind.ORDER_DENIED, data={"code": denial.code}))
                return denial
        with self.truth.lock:
            if exits:
                self.truth.held[key] += qty if side is Side.BUY else -qty
            else:
                self.truth.open[order.id] = (self.run.id, symbol, side, qty)
            self.truth.look(None if exits else side)
        self.write(self.trading.submit(order))
        if exits:
            self.write(self.trading.fill(order, qty, PRICE))
        else:
            self.working.append(order)
        return None

    def fill(self, qty):
        order = self.working[0]
        qty = min(qty, order.remaining_qty)
        with self.truth.lock:
            self.truth.held[self.run.id, order.symbol] += qty if order.side is Side.BUY else -qty
            self.truth.open[order.id] = (self.run.id, order.symbol, order.side, order.remaining_qty - qty)
            if order.remaining_qty == qty:
                del self.truth.open[order.id]
            self.truth.look(None)
        self.write(self.trading.fill(order, qty, PRICE))
        if not order.remaining_qty:
            self.working.remove(order)

    def cancel(self):
        order = self.working.pop(0)
        with self.truth.lock:
            del self.truth.open[order.id]
        self.write(self.trading.step(order, OrderStatus.CANCELLED, Kind.ORDER_CANCELLED))

    def doubt(self):
        """The answer to the oldest order is lost, so that nobody knows whether the venue has it."""
        order = self.working.pop(0)
        self.write(self.trading.step(order, OrderStatus.UNKNOWN, Kind.ORDER_UNKNOWN))

    def act(self, deed, symbol, side, qty):
        if deed == "order" or not self.working:
            return self.order(symbol, side, qty)
        if deed == "fill":
            return self.fill(qty)
        if deed == "cancel":
            return self.cancel()
        return self.doubt()


DEEDS = st.tuples(
    st.sampled_from(["order", "order", "order", "fill", "fill", "cancel", "doubt"]),
    st.sampled_from(SYMBOLS),
    st.sampled_from([Side.BUY, Side.BUY, Side.SELL]),
    st.integers(1, 7).map(Decimal),
)
SETTINGS = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], derandomize=True
)


@settings(SETTINGS, max_examples=12)
@given(plans=st.lists(st.lists(DEEDS, min_size=4, max_size=12), min_size=4, max_size=4))
def test_no_deeds_of_concurrent_senders_overshoot_a_limit(books, writer, plans):
    name, truth = account(**LIMITS), Truth()
    senders = [Sender(name, book, writer, truth) for book in books]

    def live(sender, plan):
        for deed in plan:
            sender.act(*deed)

    with ThreadPoolExecutor(len(senders)) as pool:
        for done in [pool.submit(live, *both) for both in zip(senders, plans, strict=True)]:
            done.result(30)
    for limit, figure in truth.most.items():
        assert figure <= LIMITS[limit], limit


def test_senders_that_all_want_more_than_there_is_use_up_all_of_it_and_no_more(books, writer):
    name, truth = account(max_gross_exposure=2000), Truth()
    senders = [Sender(name, book, writer, truth) for book in books]
    with ThreadPoolExecutor(len(senders)) as pool:
        list(pool.map(lambda sender: [sender.order("SPY", Side.BUY, Decimal(1)) for _ in range(10)], senders))
    answers = [answer for sender in senders for answer in sender.answers]
    assert answers.count(None) == 20
    assert {answer.code for answer in answers if answer} == {"account_max_gross_exposure"}
    assert truth.most["max_gross_exposure"] == 2000


@settings(SETTINGS, max_examples=25)
@given(plan=st.lists(DEEDS, min_size=1, max_size=15))
def test_a_lone_sender_is_denied_just_what_would_overshoot(books, writer, plan):
    name, truth = account(**LIMITS), Truth()
    sender = Sender(name, books[0], writer, truth)
    for deed, symbol, side, qty in plan:
        before = dict(truth.open)
        with truth.lock:
            truth.open["asked"] = (sender.run.id, symbol, side, qty)
            asked = {**truth.look(side), "max_order_value": qty * PRICE}
            # Of the other symbol's value this order says nothing.
            asked["max_position_value"] = worth(truth, symbol)
            truth.open = before
        made = len(sender.answers)
        sender.act(deed, symbol, side, qty)
        # What was written without waiting is waited for here, so that the book knows what the sender knows.
        sender.write(sender.trading.status("running")).result(10)
        for denial in sender.answers[made:]:
            over = {name for name, figure in asked.items() if figure > LIMITS[name]}
            assert (denial is not None) == bool(over)
            assert denial is None or denial.code.removeprefix("account_") in over


def worth(truth, symbol):
    total = Decimal(0)
    for run in {run for run, *_ in truth.open.values()} | {run for run, _ in truth.held}:
        left = [(side, qty) for r, s, side, qty in truth.open.values() if (r, s) == (run, symbol)]
        high = truth.held[run, symbol] + sum(qty for side, qty in left if side is Side.BUY)
        low = truth.held[run, symbol] - sum(qty for side, qty in left if side is Side.SELL)
        total += max(abs(high), abs(low)) * PRICE
    return total


@pytest.fixture
def sender(books, writer):
    return Sender(account(max_gross_exposure=1000), books[0], writer, Truth())


def opening(sender, qty=10, order_id="", unit=PRICE, **terms):
    name = order_id or uuid.uuid4().hex
    return Opening(name, str(sender.run.id), "SPY", Side.BUY, Decimal(qty), unit, **terms)


def ask(sender, *orders):
    return sender.book.ask(sender.account, orders).result(10)


def test_an_order_in_doubt_keeps_its_grant(sender):
    sender.order("SPY", Side.BUY, Decimal(10))
    sender.doubt()
    sender.write(sender.trading.status("running")).result(10)
    assert ask(sender, opening(sender, 1)).code == "account_max_gross_exposure"


def test_an_order_that_ended_gives_its_grant_back_by_itself(sender):
    sender.order("SPY", Side.BUY, Decimal(10))
    sender.cancel()
    sender.write(sender.trading.status("running")).result(10)
    assert ask(sender, opening(sender)) is None


def test_what_an_ended_run_still_holds_counts(sender, books, writer):
    sender.order("SPY", Side.BUY, Decimal(10))
    sender.fill(Decimal(10))
    sender.write(sender.trading.ending("stopped")).result(10)
    other = Sender(sender.account, books[1], writer, sender.truth)
    assert ask(other, opening(other, 1)).figure == Decimal(1100)


def test_alternatives_and_what_takes_the_place_of_another_count_once(sender):
    assert ask(sender, opening(sender, group="g"), opening(sender, group="g")) is None
    assert ask(sender, opening(sender, order_id="a"), opening(sender, order_id="b", replaces="a")) is None
    assert ask(sender, opening(sender, order_id="c"), opening(sender, order_id="d")).figure == Decimal(2000)


def test_what_is_beside_an_order_counts_with_it_but_is_not_asked_about(sender):
    Account.objects.filter(pk=sender.account).update(limits={"max_order_value": "100", "max_gross_exposure": "1000"})
    exit_ = opening(sender, 8, beside=True)
    assert ask(sender, opening(sender, 1), exit_) is None
    assert ask(sender, opening(sender, 1), opening(sender, 10, beside=True)).figure == Decimal(1100)


def test_a_symbol_is_one_however_runs_write_it(sender):
    Account.objects.filter(pk=sender.account).update(limits={"max_position_value": "1000"})
    answer = ask(sender, *(replace(opening(sender, 6), symbol=symbol) for symbol in ("BTC/USD", "BTCUSD")))
    assert answer.figure == Decimal(1200)


def of_nobody(account, symbol="NVDA", qty=1000, price=None):
    """What the account holds outside of all runs, as it was taken from the venue."""
    AccountEntry.objects.create(
        account=account, symbol=symbol, ticker=ticker_of(symbol), qty=qty, price=price, by="a test", reason="held"
    )


def by_others(account, symbol="NVDA", **terms):
    given = {"name": "x", "venue_order_id": "x", "side": "buy", "type": "market", "qty": 5, "status": "accepted"}
    OutsideOrder.objects.create(account=account, symbol=symbol, ticker=ticker_of(symbol), **{**given, **terms})


def unpriced(account):
    with connect() as database:
        return grants.read_state(database, account, with_loss=False).unpriced()


@pytest.mark.parametrize("limit", ["max_gross_exposure", "max_net_exposure"])
@pytest.mark.parametrize("have", [of_nobody, by_others])
def test_nothing_is_opened_while_nobody_knows_what_others_hold_is_worth(sender, limit, have):
    Account.objects.filter(pk=sender.account).update(limits={limit: "1000"})
    have(sender.account)
    denial = ask(sender, opening(sender, 1))
    assert denial.code == "account_unpriced"
    assert "NVDA" in denial.message
    assert limit in denial.message
    assert unpriced(sender.account) == ["NVDA"]


def test_what_others_hold_counts_at_the_price_that_a_run_or_an_order_has_of_it(sender):
    of_nobody(sender.account, "SPY", 8)
    assert ask(sender, opening(sender, 3)).figure == Decimal(1100)
    sender.order("SPY", Side.BUY, Decimal(1))
    sender.fill(Decimal(1))
    sender.write(sender.trading.status("running")).result(10)
    assert ask(sender, opening(sender, 2)).figure == Decimal(1100)
    assert unpriced(sender.account) == []


def test_a_market_order_of_others_counts_at_the_price_of_the_order_that_is_asked_about(sender):
    Account.objects.filter(pk=sender.account).update(limits={"max_position_value": "1000"})
    by_others(sender.account, "SPY", qty=8)
    assert ask(sender, opening(sender, 2)) is None
    assert ask(sender, opening(sender, 3)).figure == Decimal(1100)


def test_a_limit_that_needs_no_price_of_it_holds_nothing_back_over_what_others_hold(sender):
    Account.objects.filter(pk=sender.account).update(limits={"max_position_value": "1000", "max_open_orders": "5"})
    of_nobody(sender.account)
    assert ask(sender, opening(sender, 10)) is None


def test_what_others_hold_need_be_no_symbol_of_ours(sender):
    Account.objects.filter(pk=sender.account).update(limits={"max_position_value": "1000"})
    of_nobody(sender.account, "BRK B", 3, Decimal(400))
    assert ask(sender, opening(sender, 10)) is None


def test_an_account_that_lost_its_daily_limit_opens_nothing_more(sender):
    Account.objects.filter(pk=sender.account).update(limits={"max_daily_loss": "99"})
    sender.order("SPY", Side.BUY, Decimal(10))
    sender.fill(Decimal(10))
    sender.write(sender.trading.status("running")).result(10)
    assert ask(sender, opening(sender)) is None
    fallen = {"equity": "99900", "positions": [{"symbol": "SPY", "last_price": "90"}], "time": sender.trading.now}
    sender.writer.append(ledger.Append(sender.run.id, None, [], state=fallen)).result(10)
    denial = ask(sender, opening(sender))
    assert (denial.code, denial.figure, denial.limit) == ("account_max_daily_loss", Decimal(100), Decimal(99))


def test_what_a_run_of_another_day_still_holds_loses_money_today(sender, books, writer):
    Account.objects.filter(pk=sender.account).update(limits={"max_daily_loss": "99"})
    for one in (sender, other := Sender(sender.account, books[1], writer, sender.truth)):
        one.order("SPY", Side.BUY, Decimal(10))
        one.fill(Decimal(10))
    points = [sender.trading.point()]
    writer.append(ledger.Append(sender.run.id, None, [sender.trading.ending("stopped")], points=points)).result(10)
    assert ask(other, opening(other)) is None
    later = sender.trading.now + 1_000_000_000
    fallen = {"equity": "99940", "positions": [{"symbol": "SPY", "last_price": "94"}], "time": later}
    writer.append(ledger.Append(other.run.id, None, [], state=fallen)).result(10)
    denial = ask(other, opening(other))
    assert (denial.code, denial.figure) == ("account_max_daily_loss", Decimal(120))


def test_an_open_breaker_lets_nothing_be_opened_anywhere(sender, books):
    for _ in range(5):
        sender.book.failed(sender.account, str(sender.run.id), Call.ORDER, "timed out")
    eventually(lambda: Account.objects.get(pk=sender.account).breaker_open)
    denial = books[3].ask(sender.account, [opening(sender)]).result(10)
    assert denial.code == "breaker_open"
    assert "5 orders in a row failed, the last one: timed out" in denial.message
    assert not OrderGrant.objects.filter(account=sender.account).exists()


def test_an_account_that_cannot_be_asked_denies_in_time(sender, monkeypatch):
    monkeypatch.setattr(account_book, "PATIENCE", 0.1)
    with connect() as database:
        database.execute("SELECT 1 FROM risk_accounts WHERE name = %s FOR UPDATE", [sender.account])
        denial = asyncio.run(sender.book.grant(sender.account, [opening(sender)]))
        assert denial.code == "account_unknown"
        database.rollback()


def test_a_lock_that_is_held_for_too_long_is_a_denial_and_what_follows_is_answered(sender):
    with connect() as database:
        database.execute("SELECT 1 FROM risk_accounts WHERE name = %s FOR UPDATE", [sender.account])
        late = sender.book.ask(sender.account, [opening(sender)])
        assert late.result(10).code == "account_unknown"
        database.rollback()
    assert ask(sender, opening(sender)) is None


def test_a_connection_that_is_cut_costs_nobody_an_answer(sender):
    assert ask(sender, opening(sender, 1)) is None
    with connect(autocommit=True) as database:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [account_book.NAME]
        )
    assert ask(sender, opening(sender, 1)) is None


def test_limits_name_what_they_loosen():
    before = AccountLimits(max_gross_exposure=1000, max_order_value=100, max_open_orders=5)
    after = AccountLimits(max_gross_exposure=2000, max_order_value=50, max_position_value=10)
    assert after.loosens(before) == ["max_gross_exposure", "max_open_orders"]
    assert before.loosens(after) == ["max_position_value", "max_order_value"]
