"""Every page, in both themes and on a phone: axe-core finds nothing, and nothing is wider than the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import opened
from tests.browser.person import PHONE, WIDE
from tests.live import LiveStack

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
#: What axe-core looks at in each theme: the second has other colours, and nothing else.
THEMES: dict[Any, dict[str, Any]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]},
}
MODEL = "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1"
TRADING = [
    "portfolio/",
    "runs/",
    "runs/?search=nothing",
    "runs/new/",
    "runs/{demo}/",
    "runs/{demo}/orders/",
    "runs/{demo}/fills/",
    "runs/{demo}/why/",
    "bots/",
    "bots/new/",
    "bots/{bot}/",
    "bots/{bot}/recipe/",
    "backtests/",
    "backtests/?search=nothing",
    "backtests/{demo}/",
    "backtests/{demo}/trades/",
    "backtests/compare/?run={demo}&run={tested}",
    "sweeps/",
    "sweeps/new/",
    "sweeps/{sweep}/",
    "sweeps/{sweep}/trials/",
]
SAFETY = [
    "risk/",
    "risk/events/",
    "risk/halts/",
    "kill/",
    "kill/release/",
    "reconciliation/",
    "accounts/",
    "accounts/alpaca-paper/",
    "accounts/alpaca-live/",
    "accounts/alpaca-live/promote/",
    "risk/accounts/alpaca-paper/limits/",
    "risk/alerts/",
]
RECORDS = [
    "ledger/",
    "ledger/?table=fills",
    "ledger/?table=events",
    "ledger/?since=never",
    "metadata/",
    "metadata/?model_urn=none",
    f"metadata/{MODEL}/",
    "audit/",
]
SYSTEM = [
    "system/",
    "settings/",
    "settings/tokens/new/",
    "account/",
    "messages/",
    "palette/?q=bot",
    "nowhere/",
]
ADMIN = [
    "/admin/",
    "/admin/trading/run/",
    "/admin/trading/run/{demo}/change/",
    "/admin/trading/fill/",
    "/admin/trading/ledgerevent/",
    "/admin/access/auditentry/",
]
#: What else is a page than one that answers 200.
ANSWERS = {"/ui/nowhere/": 404, "/ui/ledger/?since=never": 422}
PAGES = [*(f"/ui/{path}" for path in TRADING + SAFETY + RECORDS + SYSTEM), *ADMIN]


@pytest.fixture(scope="module")
def shown(live_stack: LiveStack, demo: str) -> dict[str, str]:
    """What the addresses name: a session under way, a bot with two versions and its backtest, a finished sweep."""
    live_stack.cli_json("bot", "save", "crossing", "--config", "sim_sma_cross")
    tested = live_stack.cli_json("bot", "backtest", "crossing")["run_id"]
    bot = live_stack.cli_json("bot", "save", "crossing", "--config", "sim_mean_reversion")["id"]
    grid = ("--grid", "fast=5,10", "--grid", "slow=20,40", "--walk-forward", "3", "--processes", "1")
    sweep = live_stack.cli_json("sweep", "run", "--config", "sim_sma_cross", *grid)["id"]
    return {"demo": demo, "tested": tested, "bot": str(bot), "sweep": str(sweep)}


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_and_a_phone_needs_no_sideways_scroll(
    reader: Page, live_stack: LiveStack, shown: dict[str, str], path: str
) -> None:
    reader.set_viewport_size(WIDE)
    answer = reader.goto(live_stack.base_url + path.format(**shown))
    assert answer is not None
    assert answer.status == ANSWERS.get(path, 200)
    assert complaints(reader) == {}
    reader.set_viewport_size(PHONE)
    assert reader.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("verb", ["replay", "parity", "stop"])
def test_axe_finds_nothing_on_what_a_form_leads_to_without_scripts(
    reader: Page, live_stack: LiveStack, shown: dict[str, str], verb: str
) -> None:
    run = f"{live_stack.base_url}/ui/runs/{shown['demo']}/"
    reader.goto(run)
    reader.locator(f"form[action$='/{verb}/']").evaluate("(form) => form.submit()")
    reader.wait_for_url(f"{run}{verb}/")
    assert complaints(reader) == {}


def test_the_bar_leaves_a_phone_its_screen(reader: Page, live_stack: LiveStack, demo: str) -> None:
    reader.set_viewport_size(PHONE)
    reader.goto(f"{live_stack.base_url}/ui/portfolio/")
    height = """(unusual) => {
        document.querySelectorAll(unusual).forEach((one) => one.remove());
        return document.querySelector(".bar").offsetHeight;
    }"""
    assert reader.evaluate(height, ".pulse, .kill__state, [data-state='lost']") < 120


def test_axe_finds_nothing_at_the_log_in(browser: Browser, live_stack: LiveStack) -> None:
    # Nobody was logged in here: what an older page of theirs asks for would be sent to this one meanwhile.
    with opened(browser, None) as page:
        page.goto(f"{live_stack.base_url}/ui/login/")
        assert complaints(page) == {}


def complaints(page: Page) -> dict[str, list[str]]:
    """What axe-core finds on a page, by theme; a theme is left out where it finds nothing."""
    page.evaluate(AXE)
    found: dict[str, list[str]] = {}
    for theme, options in THEMES.items():
        page.emulate_media(color_scheme=theme)
        told = page.evaluate("(options) => axe.run(options).then((result) => result.violations)", options)
        if told:
            found[theme] = [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:160]}" for one in told]
    return found
