"""Venues: what they have in common, the simulated one, and the registry that recipes choose from."""

from typing import Final

from brokers.base import IAsyncBrokerage
from brokers.sim import SimulatedBrokerage

#: The classes that a recipe's ``brokerage.class`` may name.
BROKERAGES: Final[dict[str, type[IAsyncBrokerage]]] = {
    "SimulatedBrokerage": SimulatedBrokerage,
}
