import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.urn import LONGEST, InvalidUrn, Urn

words = st.from_regex(r"[a-z][a-z0-9_-]{0,30}", fullmatch=True)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", fullmatch=True)
urns = st.builds(Urn, words, words, names)


@given(urns)
def test_what_is_written_is_read_back(urn):
    assert Urn.parse(str(urn)) == urn


@given(st.text())
def test_any_text_is_a_urn_or_an_error(text):
    try:
        assert str(Urn.parse(text)) == text
    except InvalidUrn as error:
        assert str(error)


@given(urns, st.integers(0, 4), st.sampled_from(["", " ", "É", "a b", "a/b", "a:b", "\n", "a\n", "-a"]))
def test_any_broken_part_is_found(urn, place, broken):
    parts = str(urn).split(":")
    parts[place] = broken
    with pytest.raises(InvalidUrn):
        Urn.parse(":".join(parts))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "form urn:alphaswarm:{kind}:{env}:{name}"),
        ("alpaca_mean_reversion_v1", "form urn:alphaswarm:{kind}:{env}:{name}"),
        ("urn:other:mlmodel:prod:x", "form urn:alphaswarm:{kind}:{env}:{name}"),
        ("URN:alphaswarm:mlmodel:prod:x", "form urn:alphaswarm:{kind}:{env}:{name}"),
        ("urn:alphaswarm:MlModel:prod:x", "the kind 'MlModel'"),
        ("urn:alphaswarm:mlmodel::x", "the env ''"),
        ("urn:alphaswarm:mlmodel:prod:a b", "the name 'a b'"),
        ("urn:alphaswarm:mlmodel:prod:" + "x" * LONGEST, "255 characters at most"),
    ],
)
def test_errors_name_the_part(text, told):
    with pytest.raises(InvalidUrn, match=told.replace("{", r"\{")):
        Urn.parse(text)
