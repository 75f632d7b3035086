"""The feeds that a recipe's ``feed.class`` may name. Nothing else can be loaded by name."""

from typing import Final

from trading.feeds.base import IFeed
from trading.feeds.replay import ReplayFeed
from trading.feeds.synthetic import SyntheticFeed

FEEDS: Final[dict[str, type[IFeed]]] = {
    "ReplayFeed": ReplayFeed,
    "SyntheticFeed": SyntheticFeed,
}
