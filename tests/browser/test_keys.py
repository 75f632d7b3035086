"""Pages and verbs by the keyboard alone."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.live import LiveStack


def test_a_run_is_found_and_opened_by_keys_and_the_kill_control_shuts_again(
    page: Page, live_stack: LiveStack, demo: str
) -> None:
    expect(page.locator("#pulse")).to_contain_text("worker")
    page.keyboard.press("Control+k")
    page.keyboard.type(demo[:13])
    expect(page.locator(f"[data-text='{demo[:13]}'] .palette__item")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live_stack.base_url}/ui/runs/{demo}/")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url(f"{live_stack.base_url}/ui/runs/")
    page.locator("#search").focus()
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(page.locator("#kill .kill__engage")).to_be_hidden()
    page.locator("h1").click()
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(page.locator("#kill .kill__engage")).to_be_focused()
    expect(page.locator("#kill .kill__engage")).to_be_hidden()


def test_form_and_text_of_a_recipe_follow_each_other_as_one_types(page: Page, live_stack: LiveStack) -> None:
    page.goto(f"{live_stack.base_url}/ui/runs/new/?config=sim_sma_cross")
    fast, text = page.locator("[name='strategy.kwargs.fast']"), page.locator("#recipe")
    fast.fill("7")
    expect(text).to_have_value(re.compile(r"# A crossing.*fast: 7,", re.DOTALL))
    expect(fast).to_be_focused()
    fast.fill("quick")
    expect(page.locator("[id='wrong-strategy.kwargs.fast']")).to_have_text("must be a whole number")
    text.fill(text.input_value().replace("quick", "9"))
    expect(fast).to_have_value("9")
    expect(text).to_be_focused()
    expect(page.locator("#forecast")).to_contain_text("commission")
