import pytest

from metadata import gate
from metadata.aspects import write_aspect
from metadata.baseline_aspects import MODELS, PIPELINES

pytestmark = pytest.mark.django_db

MODEL = MODELS["alpaca_mean_reversion_v1"]
PIPELINE = PIPELINES["alpaca_mean_reversion_loop"]
UNKNOWN = "urn:alphaswarm:mlmodel:prod:unknown"


def codes(*arguments, **options) -> list[str]:
    decision = gate.check(*arguments, **options)
    assert decision.allowed is (not decision.reasons)
    return [reason.code for reason in decision.reasons]


@pytest.mark.parametrize(("model", "pipeline"), list(zip(MODELS.values(), PIPELINES.values(), strict=True)))
def test_every_seeded_pair_passes(model, pipeline):
    assert codes(model, pipeline) == []


@pytest.mark.parametrize("status", ["Production", "Staging"])
def test_a_model_in_use_passes(status):
    write_aspect(MODEL, "model", {"status": status})
    assert codes(MODEL, PIPELINE) == []


@pytest.mark.parametrize("status", ["Archived", "None", "production", "", None, 1])
def test_any_other_status_does_not(status):
    write_aspect(MODEL, "model", {"status": status})
    assert codes(MODEL, PIPELINE) == ["model_status"]


def test_a_model_that_states_no_status_does_not_pass():
    write_aspect(UNKNOWN, "owner", {"team": "a"})
    assert codes(UNKNOWN, PIPELINE) == ["model_status"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_both_urns_must_be_there(nothing):
    assert codes(nothing, PIPELINE) == ["model_urn_missing"]
    assert codes(MODEL, nothing) == ["pipeline_urn_missing"]


def test_both_must_be_known():
    assert codes(UNKNOWN, UNKNOWN) == ["model_unknown", "pipeline_unknown"]


@pytest.mark.parametrize("sharpes", [[], [None], [0.0], [None, 0.0], [float("nan")], [float("inf")]])
def test_a_bot_needs_a_backtest_that_says_something(sharpes):
    assert codes(MODEL, PIPELINE, bot_sharpes=sharpes) == ["bot_backtest_missing"]


@pytest.mark.parametrize("sharpes", [[1.5], [-0.2], [None, 0.0, 0.7]])
def test_one_such_backtest_is_enough(sharpes):
    assert codes(MODEL, PIPELINE, bot_sharpes=sharpes) == []


def test_every_reason_is_told_at_once():
    found = gate.check("nonsense", None, [])
    assert [reason.code for reason in found.reasons] == [
        "model_urn_malformed",
        "pipeline_urn_missing",
        "bot_backtest_missing",
    ]
    assert [reason.urn for reason in found.reasons] == ["nonsense", None, None]
    assert all(reason.message for reason in found.reasons)
