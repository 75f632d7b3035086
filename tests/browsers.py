"""The machine's own Chromium, for tests of pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def launched() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = "no Chromium on PATH"
        if os.environ.get("ALPHASWARM_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{missing}, and ALPHASWARM_REQUIRE_BROWSER=1 demands one")
        pytest.skip(missing)
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to run as root, and a container's /dev/shm is too small for it.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()
