"""Whatever is traded: the limits that watch a run decide as a slow reckoning from its bare facts does."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from tests.engine.builders import Script, request
from tests.trading.drawn import SYMBOLS, VENUES, brokerage, markets
from tests.trading.sessions import CASH
from trading.backtest import Curve, drive
from trading.engine.effects import Effect
from trading.engine.engine import Engine
from trading.engine.margin import AccountType
from trading.engine.orders import Side
from trading.engine.records import Kind, Record
from trading.engine.risk import RiskAgent, Watched

DAY = 86_400 * 10**9
MINUTE = 60 * 10**9
ZERO = Decimal(0)

#: One or two market orders a bar.
WANTED = st.lists(
    st.lists(
        st.builds(request, st.sampled_from(Side), st.sampled_from([100, 200]), st.sampled_from(SYMBOLS)), max_size=2
    ),
    min_size=6,
    max_size=28,
)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "max_daily_loss": st.sampled_from([50, 500, 2000]),
        "max_drawdown": st.sampled_from(["0.001", "0.02"]),
        "max_symbol_loss": st.sampled_from([20, 300]),
        "max_consecutive_losses": st.integers(1, 2),
        "max_minutes_in_position": st.sampled_from([60, 180, 1200]),
    },
)


class Seen(NamedTuple):
    """A run after a bar: its exact equity, the closes, and how many facts there were."""

    time: int
    equity: Decimal
    closes: dict[str, Decimal]
    facts: int


class Witness(RiskAgent):
    """Looks at a run without limits, and lets what `RiskManagementAgent` without limits lets pass."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.watch = self._look
        self.check_pretrade = RiskManagementAgent(RiskLimits(), CASH).check_pretrade  # type: ignore[method-assign]

    def _look(self, run: Watched, equity: float) -> Sequence[Effect]:
        closes = {symbol: run.last_price(symbol) or ZERO for symbol in run.symbols()}
        self.seen.append(Seen(run.now, run.equity, closes, len(run.records)))  # type: ignore[attr-defined]
        return ()


def reckoned(seen: list[Seen], records: list[Record], limits: dict[str, object]) -> tuple[int, set[str]] | None:
    """The first bar (counted from one) at which limits are exceeded, and which."""
    for number, now in enumerate(seen):
        before = seen[: number + 1]
        days = [one for one in before if one.time // DAY < now.time // DAY]
        fills = [(one.time, one.fill) for one in records[: now.facts] if one.kind is Kind.ORDER_FILLED]
        start = days[-1].equity if days else CASH
        peak = max([CASH, *(one.equity for one in before)])
        held, flows, fees, entered = dict.fromkeys(now.closes, ZERO), dict.fromkeys(now.closes, ZERO), {}, {}
        trips: list[Decimal] = []
        trip = dict.fromkeys(now.closes, ZERO)
        for time, fill in fills:
            signed = fill.qty if fill.side is Side.BUY else -fill.qty
            symbol, was = fill.symbol, held[fill.symbol]
            held[symbol] += signed
            flows[symbol] -= signed * fill.price
            fees[symbol] = fees.get(symbol, ZERO) + fill.fee
            closed = signed if was * held[symbol] >= 0 else -was
            trip[symbol] -= closed * fill.price
            if was and was * held[symbol] <= 0:
                trips.append(trip[symbol] - fees[symbol])
                trip[symbol], fees[symbol] = -held[symbol] * fill.price, ZERO
            if not was or was * held[symbol] <= 0:
                entered[symbol] = time
        row = 0
        for result in trips:
            row = 0 if result >= 0 else row + 1
        ages = [now.time - entered[symbol] for symbol, qty in held.items() if qty]
        lost = [-(flows[symbol] + held[symbol] * close) for symbol, close in now.closes.items()]
        figures = {
            "max_daily_loss": start - now.equity,
            "max_drawdown": (peak - now.equity) / peak,
            "max_symbol_loss": max(lost),
            "max_consecutive_losses": Decimal(row),
            "max_minutes_in_position": Decimal(max(ages, default=0)) / MINUTE,
        }
        broken = {name for name, limit in limits.items() if figures[name] > Decimal(str(limit))}
        if broken:
            return number + 1, broken
    return None


@settings(max_examples=60, deadline=None)
@given(markets(), WANTED, VENUES, LIMITS)
def test_the_first_breach_is_found_at_its_bar(bars, wanted, venue, limits) -> None:
    account = AccountType(venue["account"])
    witness = Witness()
    free = Engine("run", Script(*wanted), witness, SYMBOLS, CASH, account=account)
    drive(free, brokerage(venue), iter(bars), Curve())
    watched = RiskManagementAgent(RiskLimits(**limits), CASH)
    machine = Engine("run", Script(*wanted), watched, SYMBOLS, CASH, account=account)
    drive(machine, brokerage(venue), iter(bars), Curve())
    found = reckoned(witness.seen, free.records, limits)
    if found is None:
        assert not machine.halted
    else:
        number, broken = found
        assert machine.bars == number
        assert machine.halted in broken
