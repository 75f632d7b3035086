from decimal import Decimal

from trading.engine import Bar, Context, IStrategy, OrderRecord, OrderRequest, Side, Symbol


def test_a_strategy_needs_no_more_than_the_engine_offers():
    class BuyEachBar(IStrategy):
        def on_bar(self, bar: Bar, context: Context) -> list[OrderRequest]:
            return [OrderRequest(symbol=bar.symbol, side=Side.BUY, qty=Decimal(1))]

    [request] = BuyEachBar().on_bar(Bar("AAPL.NASDAQ", 0, 1.0, 1.0, 1.0, 1.0, 0.0), None)

    assert OrderRecord.__module__.startswith("trading.engine")
    assert Symbol.parse(request.symbol) == Symbol("AAPL", "NASDAQ")
