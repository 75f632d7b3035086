"""docs/strategies.md: its examples run, and it has a section and a chart for every strategy."""

import re
from xml.etree import ElementTree

import pytest

from brokers.sim import SimulatedBrokerage
from tests.engine.builders import bar, engine
from tests.environment import PROJECT
from trading.backtest import Curve, drive
from trading.engine.records import Kind
from trading.strategies import STRATEGIES

PAGE = PROJECT / "docs" / "strategies.md"
TEXT = PAGE.read_text()
#: One's own strategies, of ``strategy new``, need no section.
SHIPPED = [
    "AvellanedaStoikovStrategy",
    "BreakoutStrategy",
    "LimitLadderStrategy",
    "LucicTseOptionsStrategy",
    "MeanReversionStrategy",
    "MomentumStrategy",
    "SmaCrossStrategy",
]


def test_the_examples_run_and_the_first_one_buys_a_fall_and_sells_the_recovery():
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(block, names)
    closes = [100.0 - step for step in range(20)] + [80.0 + 2 * step for step in range(15)]
    machine = engine(names["DipStrategy"](quantity=10))
    drive(machine, SimulatedBrokerage(), [bar(close, minute=minute) for minute, close in enumerate(closes)], Curve())
    fills = [record.order.side for record in machine.records if record.kind is Kind.ORDER_FILLED]
    assert fills == ["buy", "sell"]
    assert [child.type for child in names["with_exits"].then] == ["limit", "stop"]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_has_a_section_with_a_chart(name):
    section = TEXT.split(f"### {name}\n", 1)[1].split("\n### ", 1)[0]
    (chart,) = re.findall(r"!\[.*?\]\((.*?)\)", section)
    assert ElementTree.parse(PAGE.parent / chart).getroot().tag.endswith("svg")
    assert "Recipe" in section
    assert name in STRATEGIES
