"""What the parts of this package agree on, without the client library, which takes a second to load."""

from __future__ import annotations

from typing import Final

from trading.engine.errors import Rejected

#: Seconds to connect and to answer.
TIMEOUT: Final = (3.0, 10.0)
HINT: Final = "Set ALPHASWARM_ALPACA_API_KEY and ALPHASWARM_ALPACA_SECRET_KEY."
#: The client order id was used before, by an order of any state.
DUPLICATE_ID: Final = 40010001
#: There is no such order, as against an answer that says nothing of it.
NOT_FOUND: Final = 40410000


class Refusal(Rejected):
    """A refusal with Alpaca's own code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
