"""The strategies that a recipe's ``strategy.class`` may name. Nothing else can be loaded by name."""

from typing import Final

from trading.engine.strategy import IStrategy
from trading.strategies.avellaneda_stoikov import AvellanedaStoikovStrategy
from trading.strategies.breakout import BreakoutStrategy
from trading.strategies.limit_ladder import LimitLadderStrategy
from trading.strategies.lucic_tse import LucicTseOptionsStrategy
from trading.strategies.mean_reversion import MeanReversionStrategy
from trading.strategies.momentum import MomentumStrategy
from trading.strategies.sma_cross import SmaCrossStrategy

STRATEGIES: Final[dict[str, type[IStrategy]]] = {
    "AvellanedaStoikovStrategy": AvellanedaStoikovStrategy,
    "BreakoutStrategy": BreakoutStrategy,
    "LimitLadderStrategy": LimitLadderStrategy,
    "LucicTseOptionsStrategy": LucicTseOptionsStrategy,
    "MeanReversionStrategy": MeanReversionStrategy,
    "MomentumStrategy": MomentumStrategy,
    "SmaCrossStrategy": SmaCrossStrategy,
}
