"""The feeds that a recipe's ``feed.class`` may name. Nothing else can be loaded by name."""

from typing import Final

from trading.feeds.base import IFeed
from trading.feeds.live import AlpacaFeed, IBKRFeed, TradierFeed
from trading.feeds.quotes import QuotesFeed
from trading.feeds.replay import ReplayFeed
from trading.feeds.synthetic import SyntheticFeed

FEEDS: Final[dict[str, type[IFeed]]] = {
    "AlpacaFeed": AlpacaFeed,
    "IBKRFeed": IBKRFeed,
    "QuotesFeed": QuotesFeed,
    "ReplayFeed": ReplayFeed,
    "SyntheticFeed": SyntheticFeed,
    "TradierFeed": TradierFeed,
}
