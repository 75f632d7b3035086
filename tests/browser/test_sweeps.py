"""The pages of sweeps in a browser: accessible in both themes, no wider than a phone, and live while one runs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_accessible import complaints
from tests.live import LiveStack

PAGES = ["", "new/", "{}/", "{}/trials/"]


@pytest.fixture(scope="module")
def sweep(live_stack: LiveStack) -> str:
    """The id of a finished sweep."""
    grid = ("--grid", "fast=5,10", "--grid", "slow=20,40", "--walk-forward", "3", "--processes", "1")
    return str(live_stack.cli_json("sweep", "run", "--config", "sim_sma_cross", *grid)["id"])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(page: Page, live_stack: LiveStack, sweep: str, path: str, theme: Any) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{live_stack.base_url}/ui/sweeps/{path.format(sweep)}")
    assert complaints(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_sideways_scroll(page: Page, live_stack: LiveStack, sweep: str, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_stack.base_url}/ui/sweeps/{path.format(sweep)}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_sweep_is_started_followed_and_turned_into_a_backtest(page: Page, live_stack: LiveStack) -> None:
    page.goto(f"{live_stack.base_url}/ui/sweeps/new/?config=sim_sma_cross")
    page.get_by_label("Parameters of the strategy").fill("fast = 3, 6\nslow = 12, 24")
    page.get_by_role("button", name="Start the sweep").click()
    page.wait_for_url(re.compile(r"/ui/sweeps/[0-9a-f-]{36}/"))
    expect(page.locator("#sweep .head .state")).to_have_text("completed")
    expect(page.locator(".heat__cell")).to_have_count(4)
    page.get_by_label("Across").select_option("slow")
    expect(page.locator(".heat thead th").first).to_have_text("fast ↓ slow →")
    page.get_by_role("button", name="Backtest of trial").first.click()
    page.wait_for_url(re.compile(r"/ui/(runs|backtests)/"))
