"""Take every page, in both themes, at 1440 pixels and on a phone, into docs/screenshots: `make screenshots`.

A whole stack is started for it, trades for a minute, and is gone afterwards.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml
from playwright.sync_api import Browser, Page

from tests.browser.person import log_in, start_demo
from tests.browsers import launched
from tests.environment import PROJECT
from tests.live import LiveStack

FOLDER: Final = PROJECT / "docs" / "screenshots"
SIZES: Final = {"wide": (1440, 900), "phone": (390, 844)}
THEMES: Final = ("light", "dark")
#: Milliseconds of trading before the first picture, and for a chart to be drawn.
TRADING: Final = 75_000
DRAWING: Final = 1_500


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with LiveStack.started() as stack, launched() as browser:
        pages = _trade(stack)
        page = browser.new_page()
        log_in(page, stack)
        state = page.context.storage_state()
        page.wait_for_timeout(TRADING)
        _take_all(browser, stack, {"login": "/ui/login/"}, None)
        _take_all(browser, stack, pages, state)
        stack.cli("kill", "engage", "--reason", "Fills away from the market")
        _take_all(browser, stack, {"killed": "/ui/portfolio/"}, state)


def _trade(stack: LiveStack) -> dict[str, str]:
    """Start what the pictures show; the paths of the pages by the names of their pictures."""
    demo = start_demo(stack)["run_id"]
    stack.cli_json("paper", "run", "--config", "sim_limit_ladder", "--celery")
    backtest = stack.cli_json("backtest", "run", "--config", "sim_mean_reversion")["run_id"]
    stack.cli_json("bot", "save", "reversion", "--config", "sim_mean_reversion")
    stack.cli_json("bot", "backtest", "reversion")
    bot = stack.cli_json("bot", "save", "reversion", "--config", "sim_momentum")["id"]
    grid = ("--grid", "fast=2:20:2", "--grid", "slow=25:70:5", "--walk-forward", "5")
    sweep = stack.cli_json("sweep", "run", "--config", "sim_sma_cross", *grid, timeout=300)["id"]
    return {
        "accounts": "/ui/accounts/",
        "account-at-venue": "/ui/accounts/alpaca-paper/",
        "risk": "/ui/risk/",
        "why": f"/ui/runs/{_refused(stack)}/why/",
        "halts": "/ui/risk/halts/",
        "alerts": "/ui/risk/alerts/",
        "sweeps": "/ui/sweeps/",
        "sweep": f"/ui/sweeps/{sweep}/",
        "sweep-new": "/ui/sweeps/new/",
        "bots": "/ui/bots/",
        "bot": f"/ui/bots/{bot}/",
        "bot-new": "/ui/bots/new/",
        "portfolio": "/ui/portfolio/",
        "runs": "/ui/runs/",
        "run": f"/ui/runs/{demo}/",
        "run-backtest": f"/ui/runs/{backtest}/",
        "backtests": "/ui/backtests/",
        "tear-sheet": f"/ui/backtests/{backtest}/",
        "run-blocked": f"/ui/runs/{_blocked(stack)}/",
        "run-new": "/ui/runs/new/",
        "account": "/ui/account/",
        "ledger": "/ui/ledger/?table=fills",
        "ledger-entries": f"/ui/ledger/?table=events&run={demo}",
        "metadata": "/ui/metadata/",
        "metadata-of-model": "/ui/metadata/urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1/",
        "audit": "/ui/audit/",
        "system": "/ui/system/",
        "settings": "/ui/settings/",
    }


def _refused(stack: LiveStack) -> str:
    """A run that may trade little, on a stack with drills and a halt behind it."""
    for _ in range(4):
        stack.cli("drill", "run")
    stack.cli("halt", "symbol", "QQQ", "--reason", "Its prints are away from the market")
    return _demo(stack, name="small_orders", risk={"max_order_value": 5000, "max_gross_exposure": 20000})


def _blocked(stack: LiveStack) -> str:
    """A run that the metadata gate refuses."""
    return _demo(stack, name="unknown_model", session={"model_urn": "urn:alphaswarm:mlmodel:prod:not_registered"})


def _demo(stack: LiveStack, **parts: Any) -> str:
    """The run that is the demo's recipe with other parts, whether or not it may start."""
    recipe = yaml.safe_load((PROJECT / "configs" / "paper" / "demo.yaml").read_text()) | parts
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(recipe, file)
        file.flush()
        answer = stack.cli("paper", "run", "--config", file.name, "--celery", "--json")
    document: dict[str, Any] = json.loads(answer.stdout)
    return str(document["run_id"])


def _take_all(browser: Browser, stack: LiveStack, pages: dict[str, str], state: Any) -> None:
    for theme in THEMES:
        for size, (width, height) in SIZES.items():
            viewport: Any = {"width": width, "height": height}
            context = browser.new_context(color_scheme=theme, viewport=viewport, storage_state=state)
            page = context.new_page()
            for name, path in pages.items():
                _take(page, stack.base_url + path, FOLDER / f"{name}-{size}-{theme}.png")
            context.close()


def _take(page: Page, address: str, target: Path) -> None:
    page.goto(address)
    page.wait_for_timeout(DRAWING)
    page.screenshot(path=target, full_page=True)


if __name__ == "__main__":
    main()
