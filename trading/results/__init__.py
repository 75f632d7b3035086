"""What runs came to: figures, trades, and the tear sheet that shows them. Pure, but for `trading.results.reading`."""

from trading.results.figures import figures_of
from trading.results.holding import benchmark_of, buy_and_hold
from trading.results.trades import Execution, Trade, executions, round_trips

__all__ = ["Execution", "Trade", "benchmark_of", "buy_and_hold", "executions", "figures_of", "round_trips"]
