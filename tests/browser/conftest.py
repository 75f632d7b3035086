"""A person at a browser, in front of a whole stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.browser.person import WIDE, cookies, start_demo
from tests.live import LiveStack


@pytest.fixture(scope="module")
def demo(live_stack: LiveStack) -> Iterator[str]:
    """The id of a demo run that goes on while the module's tests look at it."""
    started = start_demo(live_stack)
    yield started["run_id"]
    live_stack.cli("paper", "stop", started["task_id"])


@pytest.fixture(scope="module")
def logged_in(live_stack: LiveStack, browser: Browser) -> Any:
    """The cookies of a person who has logged in."""
    return cookies(browser, live_stack)


@pytest.fixture
def page(live_stack: LiveStack, browser: Browser, logged_in: Any) -> Iterator[Page]:
    """The Portfolio page of a person who has logged in."""
    with opened(browser, logged_in) as page:
        page.goto(f"{live_stack.base_url}/ui/portfolio/")
        yield page


@pytest.fixture(scope="module")
def reader(browser: Browser, logged_in: Any) -> Iterator[Page]:
    """One page for all tests of a module that only look."""
    with opened(browser, logged_in) as page:
        yield page


@contextmanager
def opened(browser: Browser, state: Any) -> Iterator[Page]:
    """A page of its own; an error in its scripts or a breach of the content security policy fails the test."""
    context = browser.new_context(viewport=WIDE, storage_state=state)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("console", lambda said: _heed(page, said, complaints))
    yield page
    context.close()
    assert complaints == []


def _heed(page: Page, said: ConsoleMessage, complaints: list[str]) -> None:
    # What axe-core does itself comes from no address.
    if "Content Security Policy" in said.text and said.location["url"]:
        complaints.append(f"{page.url}: {said.text}")
