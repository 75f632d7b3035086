from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.trading.conftest import house as house
from trading import standing
from trading.reconciling import looking


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test's venue said of an account is not the next one's, and second looks come soon."""
    monkeypatch.setattr(standing, "_figures", {})
    monkeypatch.setattr(looking, "_accounts", {})
    monkeypatch.setattr(looking, "AGAIN_SECONDS", 0.2)
    yield
