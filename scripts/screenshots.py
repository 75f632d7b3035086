"""Take every page, in both themes, at 1440 pixels and on a phone, into docs/screenshots: `make screenshots`.

A whole stack and a stub of Alpaca are started for it, trade for a minute, and are gone afterwards.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import yaml
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.person import PHONE, WIDE, cookies, start_demo
from tests.browsers import launched
from tests.environment import PROJECT
from tests.live import LiveStack
from tests.venues.alpaca import KEY, SECRET, AlpacaStub
from tests.venues.serving import serving

FOLDER: Final = PROJECT / "docs" / "screenshots"
SIZES: Final[Mapping[str, Any]] = {"wide": WIDE, "phone": PHONE}
THEMES: Final = ("light", "dark")
#: Seconds of trading before the first picture.
TRADING: Final = 90
#: Seconds that a command may take on a busy machine.
PATIENCE: Final = 600
#: Milliseconds for charts to be drawn, and for a theme to be put on.
DRAWING: Final = 1_200
THEMING: Final = 300
#: Whether every chart has what it draws.
READ: Final = """
    () => [...document.querySelectorAll(".chart__empty")].every((one) => one.hidden || one.textContent !== "Reading…")
"""
#: Colours of a picture, and how many screens of a long page it shows.
COLOURS: Final = 128
#: How far the parts of a colour may differ for it to be a grey.
GREYEST: Final = 40
SCREENS: Final = 1.5

ACCOUNT: Final = "alpaca-paper"
#: Far above every price of the made-up bars, so that what is to rest below the market rests.
ABOVE: Final = "5000"
MODEL: Final = "urn:alphaswarm:mlmodel:prod:alpaca_mean_reversion_v1"
BEFORE: Final = {"portfolio-empty": "/ui/portfolio/"}
ALWAYS: Final = {
    "portfolio": "/ui/portfolio/",
    "runs": "/ui/runs/",
    "run-new": "/ui/runs/new/?config=sim_mean_reversion",
    "bots": "/ui/bots/",
    "bot-new": "/ui/bots/new/",
    "backtests": "/ui/backtests/",
    "sweeps": "/ui/sweeps/",
    "sweep-new": "/ui/sweeps/new/?config=sim_sma_cross",
    "risk": "/ui/risk/",
    "risk-events": "/ui/risk/events/",
    "halts": "/ui/risk/halts/",
    "reconciliation": "/ui/reconciliation/",
    "accounts": "/ui/accounts/",
    "account-at-venue": f"/ui/accounts/{ACCOUNT}/",
    "alerts": "/ui/risk/alerts/",
    "ledger-orders": "/ui/ledger/",
    "ledger-fills": "/ui/ledger/?table=fills",
    "metadata": "/ui/metadata/",
    "metadata-of-model": f"/ui/metadata/{MODEL}/",
    "audit": "/ui/audit/",
    "system": "/ui/system/",
    "settings": "/ui/settings/",
    "account": "/ui/account/",
    "messages": "/ui/messages/",
    "search": "/ui/palette/?q=demo",
    "not-found": "/ui/nowhere/",
    "admin": "/admin/",
    "admin-fills": "/admin/trading/fill/",
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with serving(AlpacaStub()) as stub, LiveStack.started(**credentials(stub)) as stack, launched() as browser:
        take_all(browser, stack, {"login": "/ui/login/"}, None)
        state = cookies(browser, stack)
        take_all(browser, stack, BEFORE, state)
        take_all(browser, stack, seeded(stack, stub), state)
        stack.cli("kill", "engage", "--reason", "Fills away from the market", timeout=PATIENCE)
        take_all(browser, stack, {"killed": "/ui/portfolio/", "kill": "/ui/kill/"}, state)


def credentials(stub: AlpacaStub) -> dict[str, str]:
    """What leads a stack to the stub."""
    return {
        "ALPHASWARM_ALPACA_API_KEY": KEY,
        "ALPHASWARM_ALPACA_SECRET_KEY": SECRET,
        "ALPHASWARM_ALPACA_BASE_URL": stub.url,
        "ALPHASWARM_ALPACA_STREAM_URL": f"{stub.socket_url}/stream",
    }


def seeded(stack: LiveStack, stub: AlpacaStub) -> dict[str, str]:
    """Start what the pictures show, and let it trade; the paths of the pages by the names of their pictures."""
    # What has an end comes first: sessions would hold it up.
    backtest = told(stack, "backtest", "run", "--config", "sim_mean_reversion")["run_id"]
    other = told(stack, "backtest", "run", "--config", "sim_sma_cross")["run_id"]
    told(stack, "bot", "save", "reversion", "--config", "sim_mean_reversion")
    told(stack, "bot", "backtest", "reversion")
    bot = told(stack, "bot", "save", "reversion", "--config", "sim_momentum")["id"]
    grid = ("--grid", "fast=2:20:2", "--grid", "slow=25:70:5", "--walk-forward", "5")
    sweep = told(stack, "sweep", "run", "--config", "sim_sma_cross", *grid)["id"]
    began = time.monotonic()
    stub.trade("SPY", ABOVE)
    demo = start_demo(stack)["run_id"]
    told(stack, "paper", "run", "--config", "sim_limit_ladder", "--celery")
    at_venue = _resting(stack)
    stub.call(_given_by_hand, stub)
    refused = _refused(stack)
    blocked = recipe(stack, name="unknown_model", session={"model_urn": f"{MODEL}_unknown"})
    time.sleep(max(0.0, began + TRADING - time.monotonic()))
    told(stack, "account", "test", ACCOUNT)
    return {
        **ALWAYS,
        "run": f"/ui/runs/{demo}/",
        "run-backtest": f"/ui/runs/{backtest}/",
        "run-blocked": f"/ui/runs/{blocked}/",
        "run-at-venue": f"/ui/runs/{at_venue}/",
        "why": f"/ui/runs/{refused}/why/",
        "compare": f"/ui/backtests/compare/?run={backtest}&run={other}",
        "tear-sheet": f"/ui/backtests/{backtest}/",
        "bot": f"/ui/bots/{bot}/",
        "sweep": f"/ui/sweeps/{sweep}/",
        "ledger-entries": f"/ui/ledger/?table=events&run={demo}",
        "admin-run": f"/admin/trading/run/{demo}/change/",
    }


def told(stack: LiveStack, *arguments: str) -> Any:
    """The document of a command that must succeed."""
    return stack.cli_json(*arguments, timeout=PATIENCE)


def _resting(stack: LiveStack) -> str:
    """A run that rests orders at the stub."""
    strategy = {"class": "LimitLadderStrategy", "kwargs": {"levels": 3, "step_bps": 100, "quantity": 10}}
    venue = {"class": "AlpacaBrokerage", "kwargs": {}}
    return recipe(stack, name="at_the_venue", universe=["SPY"], strategy=strategy, brokerage=venue)


def _given_by_hand(stub: AlpacaStub) -> None:
    """Units come to be held by no order that the venue tells of."""
    stub.book.positions["SPY"] = stub.book.positions.get("SPY", Decimal(0)) + 3
    stub.book.costs["SPY"] = stub.book.costs.get("SPY", Decimal(0)) + 300


def _refused(stack: LiveStack) -> str:
    """A run that may trade little, on a stack with drills and a halt behind it."""
    for _ in range(4):
        stack.cli("drill", "run", timeout=PATIENCE)
    stack.cli("halt", "symbol", "QQQ", "--reason", "Its prints are away from the market", timeout=PATIENCE)
    return recipe(stack, name="small_orders", risk={"max_order_value": 15000, "max_gross_exposure": 40000})


def recipe(stack: LiveStack, **parts: Any) -> str:
    """The id of a run that is the demo's recipe with other parts, whether or not it may start."""
    document = yaml.safe_load((PROJECT / "configs" / "paper" / "demo.yaml").read_text()) | parts
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(document, file)
        file.flush()
        answer = json.loads(
            stack.cli("paper", "run", "--config", file.name, "--celery", "--json", timeout=PATIENCE).stdout
        )
    return str(answer["run_id"])


def take_all(browser: Browser, stack: LiveStack, pages: Mapping[str, str], state: Any) -> None:
    for size, viewport in SIZES.items():
        context = browser.new_context(viewport=viewport, storage_state=state)
        page = context.new_page()
        for name, path in pages.items():
            page.goto(stack.base_url + path)
            page.wait_for_function(READ)
            page.wait_for_timeout(DRAWING)
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                page.wait_for_timeout(THEMING)
                take(page, FOLDER / f"{name}-{size}-{theme}.png")
        context.close()


def take(page: Page, target: Path) -> None:
    """A picture of the beginning of a page, in few colours."""
    viewport = page.viewport_size
    assert viewport is not None
    tall = page.evaluate("document.documentElement.scrollHeight")
    clip: Any = {"x": 0, "y": 0, **viewport, "height": min(tall, SCREENS * viewport["height"])}
    taken = Image.open(BytesIO(page.screenshot(full_page=True, clip=clip))).convert("RGB")
    taken.quantize(palette=_most_frequent(taken), dither=Image.Dither.NONE).save(target, optimize=True)


def _most_frequent(picture: Image.Image) -> Image.Image:
    """A palette of the colours that most of a picture has, half of them for what is not grey: grounds, lines and inks
    stay what they are, and so does a single green figure."""
    counted = sorted(picture.getcolors(picture.width * picture.height) or [], reverse=True, key=lambda one: one[0])
    coloured = [one for one in counted if max(one[1]) - min(one[1]) > GREYEST][: COLOURS // 2]
    frequent = [*coloured, *(one for one in counted if one not in coloured)][:COLOURS]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in frequent for part in colour])
    return palette


if __name__ == "__main__":
    main()
