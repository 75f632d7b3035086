"""The pages of sweeps in a browser, live while one runs."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.live import LiveStack


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
