import json
from traceback import format_exception

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.principals import cli_principal
from brokers.alpaca import adapter as alpaca
from brokers.alpaca import feed as alpaca_bars
from brokers.sim import SimulatedBrokerage
from brokers.tradier.adapter import TradierBrokerage
from tests.recipes.texts import WHOLE, changed
from trading import actions, recipes
from trading.engine.errors import InvalidValue, VenueError
from trading.feeds import FEEDS
from trading.feeds.live import AlpacaFeed, LiveFeed, TradierFeed
from trading.recipes import RecipeError, load, parse
from trading.recipes.credentials import REDACTED, check_given, completed, is_secret, secrets_of, without_secrets
from trading.recipes.parts import BROKERAGES

CANARY = "canary-3f9a1c77d2"


class AlpacaBrokerage(SimulatedBrokerage):
    """A venue with secrets, named as one that reads the environment."""

    def __init__(self, api_key: str = "", secret_key: str = "", base_url: str = "sandbox", port: int = 1) -> None:
        super().__init__()
        self.made_with = (api_key, secret_key, base_url)


@pytest.fixture(autouse=True)
def venue(monkeypatch):
    monkeypatch.setitem(BROKERAGES, "AlpacaBrokerage", AlpacaBrokerage)


def with_secrets(**kwargs):
    return changed(brokerage={"class": "AlpacaBrokerage", "kwargs": kwargs})


def test_the_recipe_comes_before_the_caller_before_the_environment_before_the_default():
    environment = {f"ALPHASWARM_ALPACA_{name}": "environment" for name in ("API_KEY", "SECRET_KEY")}
    given = {"api_key": "caller", "secret_key": "caller"}
    assert completed(AlpacaBrokerage, {"api_key": "recipe"}, given, environment) == {
        "api_key": "recipe",
        "secret_key": "caller",
    }
    assert completed(AlpacaBrokerage, {}, {}, environment) == {"api_key": "environment", "secret_key": "environment"}
    assert completed(AlpacaBrokerage, {}, {}, {"ALPHASWARM_ALPACA_API_KEY": " "}) == {}
    assert AlpacaBrokerage(**completed(AlpacaBrokerage, {}, {}, environment)).made_with[2] == "sandbox"


def test_a_variable_has_the_type_of_its_argument():
    class InteractiveBrokersBrokerage:
        def __init__(self, host: str = "127.0.0.1", port: int = 7497) -> None: ...

    read = {"ALPHASWARM_IBKR_PORT": "4002"}
    assert completed(InteractiveBrokersBrokerage, {}, {}, read) == {"port": 4002}
    with pytest.raises(InvalidValue, match="ALPHASWARM_IBKR_PORT in the environment"):
        completed(InteractiveBrokersBrokerage, {}, {}, {"ALPHASWARM_IBKR_PORT": CANARY})


def test_the_simulated_venue_takes_nothing_from_the_environment():
    assert completed(SimulatedBrokerage, {}, {}, {"ALPHASWARM_SIM_STARTING_CASH": "1"}) == {}


def test_what_no_part_takes_is_refused():
    check_given({"api_key": "x"}, SimulatedBrokerage, AlpacaBrokerage)
    with pytest.raises(InvalidValue, match="api_key is no argument of SimulatedBrokerage"):
        check_given({"api_key": "x"}, SimulatedBrokerage)


@pytest.mark.parametrize("name", ["api_key", "secret_key", "token", "password", "API-KEY", "ALPHASWARM_TRADIER_TOKEN"])
def test_a_secret_is_known_by_its_name(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["fast", "account_id", "base_url", "tokens_per_bar", "key", "seed"])
def test_other_names_are_kept(name):
    assert not is_secret(name)


def everything_kept(recipe, secrets=()):
    return " ".join(
        [
            json.dumps(recipes.redacted(recipe, secrets)),
            recipes.canonical(recipe).decode() if not secrets else "",
            repr(recipe),
            str(recipe),
            repr(recipe.brokerage),
            f"{recipe.model_fields_set}",
        ]
    )


def test_a_secret_in_the_recipe_is_kept_nowhere():
    recipe = parse(with_secrets(api_key=CANARY, secret_key=CANARY + "2", base_url=f"https://x/{CANARY}?k=1"))
    assert secrets_of(recipe) == {"api_key": CANARY, "secret_key": CANARY + "2"}
    assert CANARY not in everything_kept(recipe)
    stored = recipes.redacted(recipe)
    assert stored["brokerage"]["kwargs"] == {"base_url": f"https://x/{REDACTED}?k=1"}


def test_a_secret_of_the_environment_is_kept_nowhere(monkeypatch):
    monkeypatch.setenv("ALPHASWARM_TRADIER_TOKEN", CANARY)
    assert CANARY not in json.dumps(recipes.redacted(parse(changed(name=CANARY))))


def test_a_secret_of_the_caller_is_kept_nowhere():
    assert CANARY not in json.dumps(recipes.redacted(parse(changed(name=CANARY)), [CANARY]))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda data: data["brokerage"]["kwargs"].update(api_key=[CANARY]),
        lambda data: data["brokerage"]["kwargs"].update(api_kee=CANARY),
        lambda data: data["brokerage"].update({"class": "SimulatedBrokerage"}),
        lambda data: data["brokerage"]["kwargs"].update(port=CANARY),
        lambda data: data["session"].update(max_bars=CANARY),
        lambda data: data.update(name=CANARY + "\0"),
    ],
)
def test_an_error_never_shows_a_secret(break_it):
    data = with_secrets(api_key=CANARY)
    break_it(data)
    with pytest.raises(RecipeError) as caught:
        parse(data)
    assert CANARY not in f"{caught.value} {caught.value.problems!r}"


def test_an_unreadable_text_is_not_quoted():
    with pytest.raises(RecipeError) as caught:
        load(f"brokerage: {{api_key: {CANARY}")
    assert CANARY not in str(caught.value)


def test_what_is_stored_is_read_again():
    assert parse(recipes.redacted(parse(WHOLE))) == parse(WHOLE)
    stored = recipes.redacted(parse(with_secrets(api_key=CANARY)))
    assert recipes.redacted(parse(stored)) == stored


@given(
    st.recursive(
        st.just(CANARY) | st.just(f"at {CANARY}!") | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["token", CANARY]), inner),
    )
)
def test_a_secret_is_found_at_any_depth(data):
    assert CANARY not in json.dumps(without_secrets(data, [CANARY]))


def test_a_short_secret_is_blotted_out_as_a_whole_only():
    assert without_secrets({"a": "abc", "b": "xabcx"}, ["abc"]) == {"a": REDACTED, "b": "xabcx"}


@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (alpaca.AlpacaBrokerage, {"api_key": CANARY, "secret_key": CANARY, "base_url": "http://127.0.0.1:9"}),
        (AlpacaFeed, {"api_key": CANARY, "secret_key": CANARY, "data_url": "http://127.0.0.1:9"}),
        (TradierBrokerage, {"token": CANARY, "account_id": "VA1", "base_url": "http://127.0.0.1:9"}),
        (TradierFeed, {"token": CANARY, "base_url": "http://127.0.0.1:9"}),
    ],
)
def test_a_venue_that_cannot_be_reached_shows_no_secret(monkeypatch, caplog, cls, kwargs):
    """In the recipe as it is kept, in what is logged, in the error that becomes the run's reason."""
    monkeypatch.setattr(alpaca_bars, "_FIRST_SECONDS", 0.5)
    feed = issubclass(cls, LiveFeed)
    registry = FEEDS if feed else BROKERAGES
    monkeypatch.setitem(registry, cls.__name__, cls)
    made = cls(**({"universe": ("SPY",)} if feed else {}), **kwargs)
    recipe = parse(changed(**{"feed" if feed else "brokerage": {"class": cls.__name__, "kwargs": kwargs}}))
    with caplog.at_level("INFO"), pytest.raises(VenueError) as caught:
        made.source().start(("SPY",), print) if feed else made.connect()
    traceback = "".join(format_exception(caught.value))
    assert CANARY not in f"{caplog.text} {caught.value!r} {traceback} {made!r} {everything_kept(recipe)}"


def test_a_secret_in_a_recipe_never_waits_for_a_worker():
    recipe = parse(with_secrets(api_key=CANARY))
    with pytest.raises(RecipeError) as caught:
        actions.start_paper(recipe, principal=cli_principal())
    assert "ALPHASWARM_" in str(caught.value)
    assert CANARY not in str(caught.value)
