"""A person at a browser, in front of a whole stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.person import log_in, start_demo
from tests.live import LiveStack


@pytest.fixture(scope="module")
def demo(live_stack: LiveStack) -> Iterator[str]:
    """The id of a demo run that goes on while the module's tests look at it."""
    started = start_demo(live_stack)
    yield started["run_id"]
    live_stack.cli("paper", "stop", started["task_id"])


@pytest.fixture(scope="module")
def bot(live_stack: LiveStack) -> str:
    """The id of a bot with two versions and a backtest."""
    live_stack.cli_json("bot", "save", "crossing", "--config", "sim_sma_cross")
    live_stack.cli_json("bot", "backtest", "crossing")
    return str(live_stack.cli_json("bot", "save", "crossing", "--config", "sim_mean_reversion")["id"])


@pytest.fixture
def page(live_stack: LiveStack, browser: Browser) -> Iterator[Page]:
    """A logged-in page; an error in its scripts or a breach of the content security policy fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    log_in(page, live_stack)
    yield page
    context.close()
    assert complaints == []
