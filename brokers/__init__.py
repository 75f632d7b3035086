"""Venues: what they have in common, the simulated one, and the registry that recipes choose from."""

from typing import Final

from brokers.alpaca.adapter import AlpacaBrokerage
from brokers.base import Brokerage
from brokers.ibkr.adapter import InteractiveBrokersBrokerage
from brokers.sim import SimulatedBrokerage
from brokers.tradier.adapter import TradierBrokerage

#: The classes that a recipe's ``brokerage.class`` may name.
BROKERAGES: Final[dict[str, type[Brokerage]]] = {
    "AlpacaBrokerage": AlpacaBrokerage,
    "InteractiveBrokersBrokerage": InteractiveBrokersBrokerage,
    "SimulatedBrokerage": SimulatedBrokerage,
    "TradierBrokerage": TradierBrokerage,
}
