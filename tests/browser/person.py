"""What a person does in front of the pages."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.live import LiveStack

WIDE: Final[ViewportSize] = {"width": 1440, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}

#: Long enough for a busy machine; every wait ends as soon as its condition holds.
PATIENCE = 30_000

expect.set_options(timeout=PATIENCE)


def log_in(page: Page, stack: LiveStack) -> None:
    page.set_default_timeout(PATIENCE)
    page.goto(f"{stack.base_url}/ui/login/")
    page.get_by_label("Username").fill(stack.username)
    page.get_by_label("Password").fill(stack.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{stack.base_url}/ui/portfolio/")


def start_demo(stack: LiveStack) -> dict[str, Any]:
    """The ids of a new demo run: ``run_id`` and ``task_id``."""
    started: dict[str, Any] = stack.cli_json("paper", "run", "--config", "demo", "--celery")
    return started


def open_run(page: Page, stack: LiveStack, run_id: str) -> None:
    """To the page of a run, by the way that a person takes."""
    page.goto(f"{stack.base_url}/ui/portfolio/")
    page.locator(f"#session-{run_id}").get_by_role("link").click()
    expect(page.locator("#run .head .state")).to_have_text("running")


def cookies(browser: Browser, stack: LiveStack) -> Any:
    """Those of a person who has logged in."""
    page = browser.new_page()
    log_in(page, stack)
    state = page.context.storage_state()
    page.close()
    return state
