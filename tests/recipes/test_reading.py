import json
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes.texts import WHOLE, changed, fields, problems_of
from trading import recipes
from trading.recipes import RecipeError, load, load_config, load_named, parse, with_feed
from trading.recipes.document import SIZE_LIMIT
from trading.recipes.reading import FOLDER

LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
KEYS = st.sampled_from([*WHOLE, "class", "kwargs", "x"])
ANY_DATA = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner))


def test_yaml_and_json_say_the_same():
    assert load(yaml.safe_dump(WHOLE)) == load(json.dumps(WHOLE)) == load(json.dumps(WHOLE).encode()) == parse(WHOLE)


def test_what_is_left_out_has_its_default():
    recipe = parse({key: WHOLE[key] for key in ("name", "universe", "strategy", "feed", "brokerage")})
    assert recipe.risk.max_position_value is None
    assert recipe.session.state_flush_every_bars == 10
    assert recipe.session.stop_on_kill_switch
    assert recipe.session.max_bars is None


def test_money_may_be_a_number_or_text():
    assert parse(changed(risk__max_position_value="0.10")).risk.max_position_value == Decimal("0.10")
    assert parse(changed(risk__max_position_value=0.1)).risk.max_position_value == Decimal("0.1")


@pytest.mark.parametrize("ticker", ["ON", "NO", "YES", "OFF", "Y", "TRUE"])
def test_tickers_that_look_like_truth_are_text(ticker):
    text = json.dumps(changed()).replace('"AAPL"', ticker)
    assert load(text).universe == (ticker, "MSFT")


def test_a_date_is_text_and_an_exponent_is_a_number():
    text = yaml.safe_dump(changed(feed__kwargs__start="START", brokerage__kwargs__starting_cash="CASH"))
    recipe = load(text.replace("START", "2024-01-02T14:30:00Z").replace("CASH", "1e5"))
    assert recipe.feed.kwargs["start"] == "2024-01-02T14:30:00Z"
    assert recipe.brokerage.kwargs["starting_cash"] == 100_000


@pytest.mark.parametrize("name", ["model_urn", "pipeline_urn"])
def test_a_urn_may_stand_at_the_top(name):
    data = changed()
    data[name] = data["session"].pop(name)
    assert parse(data) == parse(WHOLE)
    data["session"][name] = data[name]
    assert parse(data) == parse(WHOLE)


def test_two_different_urns_are_refused():
    assert fields(changed(model_urn="urn:other")) == ["model_urn"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a recipe must be a mapping"),
        ("- a", "a recipe must be a mapping"),
        ("name: [1, 2", "line 1, column 12: while parsing a flow sequence, expected ',' or ']'"),
        ("name: a\nname: b", "line 2, column 1: name is given twice"),
        ("a: &x [1]\nb: *x", "line 1, column 4: anchors, aliases and tags are not allowed"),
        ("a: !!python/object/apply:os.getpid []", "anchors, aliases and tags are not allowed"),
        ("a: !!timestamp x", "anchors, aliases and tags are not allowed"),
        ("[" * 5000, "nested more than 20 deep"),
        ("a: " + "x" * SIZE_LIMIT, "is larger than 64 KiB"),
        ("a: .nan", "a: must be a finite number"),
        ("a: {1: b}", "a: has a key that is no plain text"),
        ("a: " + "9" * 5000, "is not readable as YAML"),
        ("a: " + "9" * 30, "a: is too large a number"),
        ("a: 1e30", "a: is too large a number"),
        ('a: "\\0"', "a: must not hold control characters"),
        (b"a: \xff", "is not UTF-8 text"),
        ("---\na: 1\n---\nb: 2", "expected a single document"),
    ],
)
def test_a_text_that_is_no_recipe_says_where_and_why(text, message):
    assert message in str(problems_of(text)[0])


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, "\x00", b"bytes", 2**80])
def test_data_that_json_or_the_database_cannot_hold_is_refused(value):
    assert fields(changed(strategy__kwargs__fast=value)) == ["strategy.kwargs.fast"]


def test_a_recipe_from_json_has_the_same_limit_of_size():
    assert "larger than 64 KiB" in problems_of(changed(name="x" * SIZE_LIMIT))[0].message


@given(ANY_DATA)
def test_any_data_is_read_or_refused_with_problems(data):
    with pytest.raises(RecipeError) as caught:
        parse(data)
    assert caught.value.problems


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_text_is_refused_with_problems(text):
    with pytest.raises(RecipeError):
        load(text)


def test_a_name_is_a_file_in_the_configs(tmp_path):
    assert load_config("demo") == load_named("demo") == load_config(FOLDER / "demo.yaml")


def test_a_path_is_read_from_here_or_from_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(WHOLE))
    assert load_config("mine.yaml") == parse(WHOLE)
    assert load_config("configs/paper/demo.yaml") == load_named("demo")


@pytest.mark.parametrize("name", ["../demo", "/etc/passwd", "demo.yaml", "", "./demo", "a" * 300, "demo\n", "demo\0"])
def test_a_name_is_never_a_path(name):
    with pytest.raises(RecipeError, match="is not known"):
        load_named(name)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(RecipeError) as caught:
        load_config("dmo")
    assert "did you mean demo?" in caught.value.problems[0].message
    assert "demo" in caught.value.problems[0].allowed


def test_a_missing_file_is_named():
    with pytest.raises(RecipeError, match=r"config: there is no recipe at .*none\.yaml"):
        load_config("none.yaml")


def test_another_feed_leaves_the_rest_as_it_is():
    recipe = with_feed(parse(WHOLE), "ReplayFeed", {"path": "/data/bars.csv", "speed": "max"})
    assert recipe == parse(changed(feed={"class": "ReplayFeed", "kwargs": {"path": "/data/bars.csv", "speed": "max"}}))


def test_the_digest_is_that_of_the_meaning():
    shuffled = dict(reversed(WHOLE.items()))
    assert recipes.sha256(parse(shuffled)) == recipes.sha256(parse(WHOLE))
    assert recipes.sha256(parse(changed(strategy__kwargs__fast=4))) != recipes.sha256(parse(WHOLE))


def test_a_recipe_may_set_ticks_and_lots():
    recipe = parse(changed(instruments={"AAPL": {"tick": "0.05", "lot": 100}}))
    (apple,) = recipe.special_instruments().values()
    assert (apple.symbol, apple.tick, apple.lot) == ("AAPL", Decimal("0.05"), Decimal(100))


@pytest.mark.parametrize(
    ("instruments", "field"),
    [
        ({"TSLA": {"lot": 1}}, "instruments.TSLA"),
        ({"AAPL": {"tick": 0}}, "instruments.AAPL.tick"),
        ({"AAPL": {"tik": 1}}, "instruments.AAPL.tik"),
    ],
)
def test_ticks_and_lots_that_cannot_be_are_told_by_their_field(instruments, field):
    assert fields(changed(instruments=instruments)) == [field]
