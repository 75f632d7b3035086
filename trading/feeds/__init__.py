"""The feeds that a recipe's ``feed.class`` may name. Nothing else can be loaded by name."""

from typing import Final

from trading.feeds.base import IFeed
from trading.feeds.quotes import QuotesFeed
from trading.feeds.replay import ReplayFeed
from trading.feeds.synthetic import SyntheticFeed

FEEDS: Final[dict[str, type[IFeed]]] = {
    "QuotesFeed": QuotesFeed,
    "ReplayFeed": ReplayFeed,
    "SyntheticFeed": SyntheticFeed,
}
