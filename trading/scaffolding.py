"""A new strategy's files: a working example to change, its test, its recipe, and its place in the registry."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import Final

from trading.engine.errors import InvalidValue

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_IMPORT: Final = "from trading.strategies."
_ENTRY: Final = re.compile(r'    "\w+": \w+,')

_STRATEGY: Final = Template('''\
"""Long while the close is above its moving average, flat otherwise: an example to change."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trading.engine import Bar, Context, InvalidValue, IStrategy, OrderRequest, Side
from trading.engine.indicators import Ema


class ${cls}State(msgspec.Struct):
    """All that is remembered between bars; it is saved with a run and restored when the run goes on."""

    averages: dict[str, Ema] = {}


class ${cls}(IStrategy):
    """Per symbol: long ``quantity`` units while the close is above its EMA(``period``), flat otherwise."""

    state: ${cls}State

    def __init__(self, period: int = 20, quantity: Decimal = Decimal(100)) -> None:
        if period < 1 or quantity <= 0:
            raise InvalidValue(f"period and quantity must be more than zero, not {period} and {quantity}")
        self.period = period
        self.quantity = Decimal(str(quantity))
        self.state = ${cls}State()

    def on_bar(self, bar: Bar, context: Context) -> Sequence[OrderRequest]:
        average = self.state.averages.setdefault(bar.symbol, Ema(self.period)).update(bar.close)
        if average is None or context.has_open_order(bar.symbol):
            return ()
        held = context.qty(bar.symbol)
        if bar.close > average and not held:
            return [OrderRequest(symbol=bar.symbol, side=Side.BUY, qty=self.quantity, reason="above the average")]
        if bar.close <= average and held:
            return [OrderRequest(symbol=bar.symbol, side=Side.SELL, qty=held, reason="not above the average")]
        return ()
''')

_TEST: Final = Template('''\
import pytest

from brokers.sim import SimulatedBrokerage
from tests.engine.builders import bar, engine
from trading.backtest import Curve, drive
from trading.engine import InvalidValue
from trading.engine.records import Kind
from trading.strategies.${module} import ${cls}


def test_it_is_long_above_the_average_and_flat_below():
    """The average of three is known with the third close; what is decided at a close trades at the next open."""
    closes = [10.0, 10.0, 10.0, 11.0, 11.0, 11.0, 9.0, 9.0]
    bars = [bar(close, minute=minute) for minute, close in enumerate(closes)]
    machine = engine(${cls}(period=3, quantity=5))
    drive(machine, SimulatedBrokerage(), bars, Curve())
    fills = [record for record in machine.records if record.kind is Kind.ORDER_FILLED]
    minute_of = {one.time: minute for minute, one in enumerate(bars)}
    assert [(minute_of[fill.time], fill.order.side, int(fill.fill.qty)) for fill in fills] == [
        (4, "buy", 5),
        (7, "sell", 5),
    ]


def test_a_period_of_nothing_is_refused():
    with pytest.raises(InvalidValue, match="period"):
        ${cls}(period=0)
''')

_RECIPE: Final = Template("""\
name: ${module}
universe: [SPY, BAC]
strategy:  {class: ${cls}, kwargs: {period: 20, quantity: 100}}
feed:      {class: SyntheticFeed, kwargs: {seed: 1, timeframe: 1Min, pace: max, bars: 7800}}
brokerage: {class: SimulatedBrokerage, kwargs: {fill: next_open, starting_cash: 100000}}
risk:      {}
session:
  model_urn: urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1
  pipeline_urn: urn:alphaswarm:pipeline:prod:alpaca_mean_reversion_loop
""")


def new_strategy(project: Path, name: str) -> tuple[str, list[str]]:
    """Write the files of a strategy called ``name``; its class, and the files from the project's folder on.

    Raises `InvalidValue`, and writes nothing, for a name that cannot be or that something has already.
    """
    module = name.removesuffix("_strategy")
    if not _NAME.fullmatch(name) or keyword.iskeyword(module) or len(name) > 60:
        raise InvalidValue(f"name {name!r} must be lower-case words joined by underscores, for example opening_range")
    cls = "".join(word.capitalize() for word in module.split("_")) + "Strategy"
    registry = project / "trading" / "strategies" / "__init__.py"
    registered = registry.read_text()
    files = {
        project / "trading" / "strategies" / f"{module}.py": _STRATEGY,
        project / "tests" / "strategies" / f"test_{module}.py": _TEST,
        project / "configs" / "paper" / f"{module}.yaml": _RECIPE,
    }
    for file in files:
        if file.exists():
            raise InvalidValue(f"name {name!r} is taken: {file.relative_to(project)} exists; choose another")
    if f'"{cls}"' in registered:
        raise InvalidValue(f"name {name!r} is taken: {cls} is registered; choose another")
    for file, template in files.items():
        file.write_text(template.substitute(module=module, cls=cls))
    registry.write_text(_with(registered, module, cls))
    return cls, [str(file.relative_to(project)) for file in (*files, registry)]


def _with(registered: str, module: str, cls: str) -> str:
    """The registry's text with one more strategy, imports and entries in their order."""
    lines = registered.splitlines()
    imports = [line for line in lines if line.startswith(_IMPORT)]
    entries = [line for line in lines if _ENTRY.fullmatch(line)]
    imports_at, entries_at = lines.index(imports[0]), lines.index(entries[0])
    lines[entries_at : entries_at + len(entries)] = sorted([*entries, f'    "{cls}": {cls},'])
    lines[imports_at : imports_at + len(imports)] = sorted([*imports, f"{_IMPORT}{module} import {cls}"])
    return "\n".join(lines) + "\n"
