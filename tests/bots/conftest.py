from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.pages.conftest import operator, viewer

__all__ = ["operator", "viewer"]


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    """A recipe over a small file of bars."""
    from tests.trading.market import recipe, replay, write_bars

    return recipe(replay(write_bars(tmp_path / "bars.csv", minutes=120)))


@pytest.fixture
def script(db: None) -> Client:
    """The API with a token that may trade."""
    from access import actions
    from access.principals import cli_principal

    owner = actions.create_operator("operator", "correct horse battery")
    _, secret = actions.create_token("script", "trade", principal=cli_principal(), owner=owner)
    return Client(headers={"Authorization": f"Bearer {secret}"})
