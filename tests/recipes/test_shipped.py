import uuid

import pytest

from metadata.urn import Urn
from risk.limits import RiskLimits
from trading.backtest import Curve, drive
from trading.bounds import bounded
from trading.engine.records import Kind
from trading.feeds.live import LiveFeed
from trading.parts import assemble, assemble_simulated
from trading.recipes import load, load_named, with_feed
from trading.recipes.reading import FOLDER, PROJECT

NAMES = sorted(file.stem for file in FOLDER.glob("*.yaml"))


def first_fill(name, bars):
    """Event seconds from the first bar to the first fill, and the engine after so many bars, made up where the recipe's
    are live."""
    recipe = load_named(name)
    if isinstance(assemble(recipe).feed, LiveFeed):
        recipe = with_feed(recipe, "SyntheticFeed", {"seed": 2, "timeframe": "1Min"})
    parts = assemble_simulated(recipe)
    parts.prepare()
    engine, curve = parts.engine(uuid.uuid4()), Curve()
    drive(engine, parts.brokerage, bounded(parts.feed.bars(), bars, None), curve)
    filled = [record.time for record in engine.records if record.kind is Kind.ORDER_FILLED]
    return (filled[0] - curve.times[0]) / 1e9 if filled else None, engine


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_is_named_after_its_file_and_trades(name):
    assert load_named(name).name == name
    _, engine = first_fill(name, 2000)
    assert any(record.kind is Kind.ORDER_ACCEPTED for record in engine.records)
    assert not engine.halted


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_names_a_seeded_model_and_its_pipeline(name):
    session = load_named(name).session
    assert Urn.parse(session.model_urn).kind == "mlmodel"
    assert Urn.parse(session.pipeline_urn).kind == "pipeline"


def test_the_demo_trades_within_a_minute_and_never_ends_by_itself():
    seconds, _ = first_fill("demo", 600)
    assert seconds < 40
    parts = assemble(load_named("demo"))
    assert (parts.feed.pace, parts.feed.endless, parts.feed.synthetic) == (1.0, True, True)


def test_the_example_of_the_documentation_is_a_recipe():
    text = (PROJECT / "docs" / "recipes.md").read_text()
    assert load(text.split("```yaml\n")[1].split("```")[0]).name == "opening_reversion"


def test_the_documentation_names_every_limit():
    text = (PROJECT / "docs" / "recipes.md").read_text()
    assert [name for name in RiskLimits.model_fields if f"`{name}`" not in text] == []
