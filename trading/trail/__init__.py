"""Why an order was sent, or was not: the way from a bar to a signal, its size, each check, the gate and the venue."""

from trading.trail.finding import trail
from trading.trail.steps import Trail

__all__ = ["Trail", "trail"]
