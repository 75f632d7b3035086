"""The fraction of the equity whose growth is largest, less what is not certain of it.

J. L. Kelly, "A New Interpretation of Information Rate", Bell System Technical Journal 35 (1956), 917-926; the
continuous form after E. O. Thorp, "The Kelly Criterion in Blackjack, Sports Betting, and the Stock Market" (1997),
section 7.

Both estimates are shrunk by their own error: f becomes f * f^2 / (f^2 + var(f)), the factor that maximises the
expected growth of one who bets on an estimate with that variance (R. D. Baker and I. G. McHale, "Optimal Betting Under
Parameter Uncertainty: Improving the Kelly Criterion", Decision Analysis 10 (2013), 189-199), with the estimate in the
place of the unknown f.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from risk.sizing.measured import Measured, Window
from risk.sizing.memory import Memory
from risk.sizing.method import Multiple, OfEquity, Share, capped, millionths
from risk.sizing.returns import Returns
from trading.engine.orders import OrderRequest, Side
from trading.engine.risk import Denial
from trading.engine.strategy import Context

Part = Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)]
_NAMES: Final = {Decimal(1): "full Kelly", Decimal("0.5"): "half Kelly", Decimal("0.25"): "quarter Kelly"}


class _Kelly(OfEquity):
    """A position is worth ``fraction`` of the shrunk Kelly fraction of the equity, at most ``cap`` of it. Where the
    Kelly fraction is not above zero the order is denied with ``no_edge``."""

    method: Literal["kelly"]
    fraction: Part = Decimal("0.5")
    cap: Multiple = Decimal("0.05")

    def bet(self, full: float, variance: float, evidence: str) -> tuple[Decimal, str] | Denial:
        """What to stake on an estimate ``full`` of the Kelly fraction with this variance."""
        if not full > 0:
            message = f"there is no edge to bet on: the Kelly fraction is {full:.3g} ({evidence})"
            return Denial(code="no_edge", message=message, figure=Decimal(f"{full:.6g}"), limit=Decimal(0))
        kept = 1 / (1 + variance / full / full)
        part = millionths(float(self.fraction) * full * kept)
        name = _NAMES.get(self.fraction.normalize(), f"{self.fraction} Kelly")
        stake, why = capped(part, self.cap, f"{name} {part:.3g} of equity")
        return stake, f"{why}; {evidence}, {kept:.2g} kept for their error"


class DiscreteKelly(_Kelly):
    """From the run's own round trips, of all symbols: f = p - (1 - p) / b.

    A trade that earned something after fees has won. With w of n won, p = (w + 1) / (n + 2), the mean of its posterior
    after a uniform prior, whose variance is p (1 - p) / (n + 3). b is the mean return of the trades that won over that
    of those that did not. By the delta method

        var(f) = (1 + 1/b)^2 p (1 - p) / (n + 3) + ((1 - p) / b)^2 (e_won + e_lost)

    where e is a mean's relative variance, (s / mean)^2 / count. The stake is the position's whole value, as if a losing
    trade could lose all of it: a trade that loses less is sized on the small side.

    Until ``min_trades`` have ended, and two of them have lost, a position is worth ``initial`` of the equity: a run
    that trades nothing learns nothing, so it cannot be zero.
    """

    kind: Literal["discrete"]
    min_trades: Annotated[int, Field(ge=2, le=100_000)] = 30
    initial: Part = Decimal("0.01")

    @property
    def counts_trades(self) -> bool:
        return True

    def part(self, request: OrderRequest, memory: Memory, context: Context) -> tuple[Decimal, str] | Denial:
        won, lost = memory.won, memory.lost
        count = won.count + lost.count
        if count < self.min_trades or lost.count < 2 or not lost.total:
            told = f"until {self.min_trades} trades have ended, two with a loss; {count} so far, {lost.count} lost"
            return capped(self.initial, self.cap, f"{self.initial} of equity {told}")
        p = (won.count + 1) / (count + 2)
        if not won.total:
            message = f"there is no edge to bet on: none of {count} trades has won"
            return Denial(code="no_edge", message=message, figure=Decimal(0), limit=Decimal(0))
        b = won.mean / lost.mean
        full = p - (1 - p) / b
        variance = (1 + 1 / b) ** 2 * p * (1 - p) / (count + 3) + ((1 - p) / b) ** 2 * (won.error + lost.error)
        return self.bet(full, variance, f"{count} trades, {p:.3g} won, payoff {b:.3g}")


class ContinuousKelly(Measured, _Kelly):
    """From the symbol's returns over the last ``window`` bars: f = (mu - r) / sigma^2 for a buyer, -f for a seller.

    mu and sigma^2 are the mean and the sample variance of the simple returns, per year (`risk.sizing.returns`); ``r``,
    the recipe's ``risk_free``, is per year too. The error of sigma is small beside that of mu, so that over n returns
    of variance s^2 (not per year) var(f) = 1 / (n s^2).
    """

    kind: Literal["continuous"]
    window: Window = 250
    initial: Share = Decimal(0)
    risk_free: Annotated[Decimal, Field(ge=-1, le=1, allow_inf_nan=False)] = Decimal(0)

    def sized(self, request: OrderRequest, returns: Returns) -> tuple[Decimal, str] | Denial:
        full = (returns.drift - float(self.risk_free)) / returns.volatility**2
        evidence = f"{returns.count} returns, drift {returns.drift:.3g}, volatility {returns.volatility:.3g}"
        error = 1 / (returns.count * returns.variance)
        return self.bet(full if request.side is Side.BUY else -full, error, evidence)
