"""The seam between the engine and the risk rules, which live outside it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from trading.engine.orders import OrderRecord
from trading.engine.strategy import Context


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order may not leave: a stable ``code``, a sentence, the figure that broke the rule and its limit."""

    code: str
    message: str
    figure: Decimal | None = None
    limit: Decimal | None = None


#: Says None when the order may leave. Called with the order not yet among the context's open orders.
PreTradeCheck = Callable[[OrderRecord, Context], Denial | None]
