"""Pages and verbs by the keyboard alone."""

from __future__ import annotations

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
    expect(page.locator(".kill__engage")).to_be_hidden()
    page.locator("h1").click()
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(page.locator(".kill__engage")).to_be_focused()
    expect(page.locator(".kill__engage")).to_be_hidden()
