"""How much an order is for: rules that give a strategy's requests their quantities.

A recipe names one of them under ``sizing:``. Each is a file of its own: its settings, and a pure function of what the
run knows. `risk.sizing.sizer` applies it.
"""

from typing import Annotated

from pydantic import Field

from risk.sizing.fixed_fraction import FixedFraction
from risk.sizing.fixed_quantity import FixedQuantity
from risk.sizing.kelly import ContinuousKelly, DiscreteKelly
from risk.sizing.volatility_target import VolatilityTarget

Kelly = Annotated[DiscreteKelly | ContinuousKelly, Field(discriminator="kind")]
#: The recipe's ``sizing:`` section, told apart by its ``method``.
Sizing = Annotated[FixedQuantity | FixedFraction | VolatilityTarget | Kelly, Field(discriminator="method")]

__all__ = ["ContinuousKelly", "DiscreteKelly", "FixedFraction", "FixedQuantity", "Sizing", "VolatilityTarget"]
