"""Every page, in both themes and on a phone: axe-core finds nothing, and nothing is wider than the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.live import LiveStack

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
BOTS = ["bots/", "bots/new/", "bots/bot/", "bots/bot/recipe/"]
BACKTESTS = ["backtests/", "backtests/?search=nothing", "backtests/demo/"]
MODEL = "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1"
RECORDS = ["ledger/", "ledger/?table=fills", "ledger/?table=events", "ledger/?since=never", "audit/"]
INSTALLATION = ["system/", "settings/", "settings/tokens/new/"]
PAGES = [
    "portfolio/",
    "runs/",
    "runs/?search=nothing",
    "runs/new/",
    "kill/",
    "palette/?q=bot",
    "messages/",
    "account/",
    "risk/",
    "risk/alerts/",
    "risk/events/",
    "risk/halts/",
    "accounts/",
    "accounts/alpaca-paper/",
    "accounts/alpaca-live/",
    "runs/demo/",
    "runs/demo/why/",
    *RECORDS,
    "metadata/?model_urn=none",
    f"metadata/{MODEL}/",
    *INSTALLATION,
    *BACKTESTS,
    *BOTS,
]


def complaints(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((result) => result.violations)")
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:160]}" for one in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(page: Page, live_stack: LiveStack, demo: str, bot: str, path: str, theme: Any) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{live_stack.base_url}/ui/{path.replace('demo', demo).replace('bot/', f'{bot}/')}")
    assert complaints(page) == []


def test_axe_finds_nothing_at_the_log_in(page: Page, live_stack: LiveStack) -> None:
    page.context.clear_cookies()
    page.goto(f"{live_stack.base_url}/ui/login/")
    assert complaints(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_sideways_scroll(page: Page, live_stack: LiveStack, demo: str, bot: str, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_stack.base_url}/ui/{path.replace('demo', demo).replace('bot/', f'{bot}/')}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
