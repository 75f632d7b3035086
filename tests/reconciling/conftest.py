from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reconciling.places import alpaca
from tests.trading.conftest import house as house
from tests.venues.alpaca import AlpacaStub
from trading import standing
from trading.reconciling import looking, resolving


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test's venue said of an account is not the next one's, and second looks come soon."""
    monkeypatch.setattr(standing, "_figures", {})
    monkeypatch.setattr(looking, "_accounts", {})
    monkeypatch.setattr(looking, "AGAIN_SECONDS", 0.2)
    yield


@pytest.fixture
def stub() -> Iterator[AlpacaStub]:
    with alpaca() as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A venue is asked for an order in doubt soon, and what it does not show has not arrived."""
    monkeypatch.setattr(resolving, "SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(resolving, "ASK_SECONDS", 0.05)
