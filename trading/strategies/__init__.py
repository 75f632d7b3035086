"""The strategies that a recipe's ``strategy.class`` may name. Nothing else can be loaded by name."""

from typing import Final

from trading.engine.strategy import IStrategy
from trading.strategies.limit_ladder import LimitLadderStrategy
from trading.strategies.mean_reversion import MeanReversionStrategy
from trading.strategies.sma_cross import SmaCrossStrategy

STRATEGIES: Final[dict[str, type[IStrategy]]] = {
    "LimitLadderStrategy": LimitLadderStrategy,
    "MeanReversionStrategy": MeanReversionStrategy,
    "SmaCrossStrategy": SmaCrossStrategy,
}
