"""nautilus_trader's BacktestEngine with a Python strategy and its own indicators."""

from __future__ import annotations

from collections import deque
from typing import Any

import nautilus_trader
import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

from bench.peers.client import Prepared
from bench.peers.frames import frame
from bench.peers.workloads import ENTRY, EXIT, FAST, QTY, SLOW, WINDOW, Outcome, Work

VERSION = nautilus_trader.__version__
SIM = Venue("SIM")


class Config(StrategyConfig, frozen=True):
    instrument_id: InstrumentId
    bar_type: BarType


class Trader(Strategy):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.qty = Quantity.from_int(QTY)
        self.fills = 0

    def on_start(self) -> None:
        self.subscribe_bars(self.config.bar_type)

    def trade(self, side: OrderSide) -> None:
        self.submit_order(self.order_factory.market(self.config.instrument_id, side, self.qty))

    def on_order_filled(self, event: Any) -> None:
        self.fills += 1


class Cross(Trader):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.fast = SimpleMovingAverage(FAST)
        self.slow = SimpleMovingAverage(SLOW)

    def on_start(self) -> None:
        self.register_indicator_for_bars(self.config.bar_type, self.fast)
        self.register_indicator_for_bars(self.config.bar_type, self.slow)
        super().on_start()

    def on_bar(self, bar: Any) -> None:
        if not self.slow.initialized:
            return
        fast, slow = self.fast.value, self.slow.value
        if fast > slow:
            if self.portfolio.is_flat(self.config.instrument_id):
                self.trade(OrderSide.BUY)
        elif fast < slow and self.portfolio.is_net_long(self.config.instrument_id):
            self.trade(OrderSide.SELL)


class ZScore(Trader):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.closes: deque[float] = deque(maxlen=WINDOW)

    def on_bar(self, bar: Any) -> None:
        close = bar.close.as_double()
        self.closes.append(close)
        if len(self.closes) < WINDOW:
            return
        closes = np.array(self.closes)
        deviation = closes.std()
        if deviation <= 0:
            return
        score = (close - closes.mean()) / deviation
        if score < ENTRY:
            if self.portfolio.is_flat(self.config.instrument_id):
                self.trade(OrderSide.BUY)
        elif score > EXIT and self.portfolio.is_net_long(self.config.instrument_id):
            self.trade(OrderSide.SELL)


def prepare(work: Work) -> Prepared:
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("BENCH-001"),
            run_analysis=False,
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(),
        )
    )
    cash = [Money(work.case.cash, USD)]
    engine.add_venue(
        venue=SIM,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        base_currency=USD,
        starting_balances=cash,
    )
    traders, last = [], {}
    for number, (symbol, bars) in enumerate(zip(work.symbols, work.arrays(), strict=True)):
        equity = _equity(symbol)
        engine.add_instrument(equity)
        bar_type = BarType.from_str(f"{equity.id}-1-MINUTE-LAST-EXTERNAL")
        wrangler = BarDataWrangler(bar_type, equity)
        engine.add_data(wrangler.process(frame(bars, work.times, zone="UTC")), sort=number == len(work.symbols) - 1)
        config = Config(instrument_id=equity.id, bar_type=bar_type, order_id_tag=f"{number:03}", strategy_id="S")
        traders.append(ZScore(config) if work.case.z_score else Cross(config))
        engine.add_strategy(traders[-1])
        last[equity.id] = bars[-1, 3]

    def outcome() -> Outcome:
        total = engine.portfolio.account(SIM).balance_total(USD).as_double()
        held = sum(float(one.signed_qty) * last[one.instrument_id] for one in engine.cache.positions_open())
        return Outcome(sum(trader.fills for trader in traders), total + held)

    return engine.run, outcome


def _equity(symbol: str) -> Equity:
    return Equity(
        instrument_id=InstrumentId(Symbol(symbol), SIM),
        raw_symbol=Symbol(symbol),
        currency=USD,
        price_precision=3,
        price_increment=Price.from_str("0.001"),
        lot_size=Quantity.from_int(1),
        ts_event=0,
        ts_init=0,
    )
