"""A session in a process of its own whose strategy blocks its loop: `python -m bench.blocking RECIPE FILE`.

It trades at every bar, with one order resting, until FILE is there; then its loop hangs until FILE is gone, and it
trades on. The strategy is known in this process alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from trading.engine.bars import Bar
from trading.engine.orders import OrderRequest, OrderType, Side, TimeInForce
from trading.engine.strategy import Context, IStrategy


class BlockingStrategy(IStrategy):
    def __init__(self, file: str) -> None:
        self._file = Path(file)

    def on_bar(self, bar: Bar, context: Context) -> list[OrderRequest]:
        while self._file.exists():
            time.sleep(0.005)
        if not any(order.type is OrderType.LIMIT for order in context.open_orders(bar.symbol)):
            resting = Decimal(1)
            return [_order(bar.symbol, Side.BUY, OrderType.LIMIT, resting)]
        return [_order(bar.symbol, Side.SELL if context.qty(bar.symbol) else Side.BUY, OrderType.MARKET, None)]


def _order(symbol: str, side: Side, kind: OrderType, limit: Decimal | None) -> OrderRequest:
    day = TimeInForce.DAY
    return OrderRequest(symbol=symbol, side=side, qty=Decimal(1), type=kind, time_in_force=day, limit_price=limit)


def main(arguments: Sequence[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")
    import django
    from django.core.management import call_command

    django.setup()
    from trading.strategies import STRATEGIES

    STRATEGIES[BlockingStrategy.__name__] = BlockingStrategy
    call_command("paper", "run", "--config", arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
