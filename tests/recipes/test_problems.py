import pytest

from tests.recipes.texts import WHOLE, changed, fields, problems_of
from trading.engine.errors import InvalidValue
from trading.engine.strategy import IStrategy
from trading.recipes import parse, parts

KELLY = {"method": "kelly", "kind": "discrete"}


def test_all_problems_are_told_at_once_in_the_recipes_order():
    data = changed(
        universe=["AAPL", "aapl"],
        strategy__kwargs__fst=1,
        feed__kwargs__pace="fast",
        brokerage__kwargs__fees={"bps": "abc"},
        risk__on_breach="stop",
        session__max_bars=0,
        sesion={},
    )
    assert fields(data) == [
        "universe.1",
        "strategy.kwargs.fst",
        "feed.kwargs.pace",
        "brokerage.kwargs.fees.bps",
        "risk.on_breach",
        "session.max_bars",
        "sesion",
    ]


@pytest.mark.parametrize(
    ("places", "field", "meant", "allowed"),
    [
        ({"sesion": {}}, "sesion", "session", [*WHOLE, "instruments", "sizing"]),
        ({"strategy__clas": 1}, "strategy.clas", "class", ["class", "kwargs"]),
        ({"strategy__class": "SmaCross"}, "strategy.class", "SmaCrossStrategy", list(parts.STRATEGIES)),
        ({"feed__class": "SynteticFeed"}, "feed.class", "SyntheticFeed", list(parts.FEEDS)),
        ({"strategy__kwargs__fst": 3}, "strategy.kwargs.fst", "fast", ["fast", "slow", "quantity"]),
        ({"session__max_bar": 3}, "session.max_bar", "max_bars", None),
        ({"risk__max_position_val": 3}, "risk.max_position_val", "max_position_value", None),
        ({"sizing": {"method": "kely"}}, "sizing.method", "kelly", None),
        ({"sizing": {"method": "kelly", "kind": "discret"}}, "sizing.kind", "discrete", ["continuous", "discrete"]),
        ({"sizing": {**KELLY, "min_trade": 9}}, "sizing.min_trade", "min_trades", None),
        ({"sizing": {"method": "fixed_quantity", "qtyy": 9, "qty": 9}}, "sizing.qtyy", "qty", ["method", "qty"]),
    ],
)
def test_an_unknown_name_comes_with_the_one_that_was_meant(places, field, meant, allowed):
    (problem,) = problems_of(changed(**places))
    assert problem.field == field
    assert f"did you mean {meant}?" in problem.message
    assert meant in problem.allowed
    assert allowed is None or sorted(allowed) == problem.allowed


@pytest.mark.parametrize("field", ["name", "universe", "strategy", "feed", "brokerage"])
def test_what_a_recipe_must_have_is_missed(field):
    data = changed()
    del data[field]
    assert [str(problem) for problem in problems_of(data)] == [f"{field}: is missing"]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"name": "a/b"}, "name: must match pattern"),
        ({"universe": "AAPL"}, "universe: must be a list"),
        ({"sizing": "all"}, "sizing: must be a mapping"),
        ({"sizing": {}}, "sizing.method: is missing"),
        ({"sizing": {"method": "fixed_fraction"}}, "sizing.fraction: is missing"),
        ({"sizing": {**KELLY, "cap": 0}}, "sizing.cap: must be greater than 0"),
        ({"sizing": {**KELLY, "initial": 0}}, "sizing.initial: must be greater than 0"),
        (
            {"sizing": KELLY, "strategy": {"class": "MomentumStrategy"}},
            "sizing: MomentumStrategy sizes its own orders; leave sizing out",
        ),
        ({"universe": []}, "universe: "),
        ({"universe": [f"A{index}" for index in range(1001)]}, "universe: "),
        ({"universe": ["AAPL", "AAPL"]}, "universe: names AAPL twice"),
        ({"universe": ["AAPL", ""]}, "universe.1: symbol '' must be TICKER or TICKER.VENUE"),
        ({"strategy": "SmaCrossStrategy"}, "strategy: must be a mapping"),
        ({"strategy__kwargs": [3, 8]}, "strategy.kwargs: must be a mapping"),
        ({"strategy__kwargs__fast": "3"}, "strategy.kwargs.fast: must be a whole number"),
        ({"strategy__kwargs__fast": 2.5}, "strategy.kwargs.fast: must be a whole number"),
        ({"strategy__kwargs__fast": True}, "strategy.kwargs.fast: must be a whole number"),
        ({"strategy__kwargs__fast": 8}, "strategy.kwargs: fast must be at least 1 and less than slow"),
        ({"strategy__kwargs__quantity": "many"}, "strategy.kwargs.quantity: must be a number"),
        (
            {"feed__kwargs__timeframe": "2Min"},
            "feed.kwargs.timeframe: must be '1Sec', '1Min', '5Min', '1Hour'",
        ),
        ({"feed__kwargs__seed": -1}, "feed.kwargs.seed: must be greater than or equal to 0"),
        ({"feed__kwargs__universe": ["AAPL"]}, "feed.kwargs.universe: universe is not known"),
        ({"feed": {"class": "ReplayFeed"}}, "feed.kwargs.path: is missing"),
        ({"brokerage__kwargs__fill": "open"}, "brokerage.kwargs.fill: must be 'next_open' or 'same_close'"),
        ({"brokerage__kwargs__starting_cash": "lots"}, "brokerage.kwargs.starting_cash: must be a number"),
        ({"brokerage__kwargs__starting_cash": 0}, "brokerage.kwargs: starting_cash must be more than zero"),
        (
            {"brokerage__kwargs__starting_cash": 1e15},
            "brokerage.kwargs: starting_cash must be at most 10,000,000,000,000",
        ),
        ({"brokerage__kwargs__fees": 3}, "brokerage.kwargs.fees: must be a mapping, or 'none'"),
        ({"risk": None}, "risk: must be a mapping"),
        ({"risk__max_drawdown": 1.5}, "risk.max_drawdown: must be less than 1"),
        ({"session__stop_on_kill_switch": "yes"}, "session.stop_on_kill_switch: must be true or false"),
        ({"session__duration_minutes": -1}, "session.duration_minutes: must be greater than 0"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(places, message):
    (problem,) = problems_of(changed(**places))
    assert str(problem).startswith(message)


@pytest.mark.parametrize(
    ("feed", "brokerage"),
    [
        ("AlpacaFeed", "AlpacaBrokerage"),
        ("IBKRFeed", "InteractiveBrokersBrokerage"),
        ("TradierFeed", "TradierBrokerage"),
    ],
)
def test_a_real_venue_needs_no_credentials_to_be_named(feed, brokerage):
    parts_of = {"feed": {"class": feed, "kwargs": {"timeframe": "1Min"}}, "brokerage": {"class": brokerage}}
    assert parse(changed(**parts_of)).brokerage.cls == brokerage
    parts_of["brokerage"]["kwargs"] = {"paper": "no", "starting_cash": 0, "fees": {}}
    assert fields(changed(**parts_of)) == ["brokerage.kwargs.paper", "brokerage.kwargs.fees"]
    parts_of["brokerage"]["kwargs"] = {"starting_cash": 0}
    assert fields(changed(**parts_of)) == ["brokerage.kwargs"]


class Given(IStrategy):
    """A strategy as anyone may add one."""

    def __init__(self, length: int, ratio: float = 0.5) -> None:
        if ratio >= 1:
            raise InvalidValue("ratio must be less than 1")

    def on_bar(self, bar, context):
        return []


def test_a_registered_class_needs_nothing_but_its_signature(monkeypatch):
    monkeypatch.setitem(parts.STRATEGIES, "Given", Given)
    assert parse(changed(strategy={"class": "Given", "kwargs": {"length": 1}}))
    assert fields(changed(strategy={"class": "Given", "kwargs": {"length": "1", "ration": 1}})) == [
        "strategy.kwargs.length",
        "strategy.kwargs.ration",
    ]
    assert fields(changed(strategy={"class": "Given", "kwargs": {"length": 1, "ratio": 1}})) == ["strategy.kwargs"]


def test_a_class_is_never_imported_from_its_name():
    (problem,) = problems_of(changed(strategy__class="os.system"))
    assert problem.field == "strategy.class"
