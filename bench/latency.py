"""How old a bar is when it is seen: `python -m bench.latency --sessions 1 20 --seconds 60`.

From `emitted_at` of each `bar.received` frame, the session's clock when it took the bar, to its arrival in a script's
WebSocket (one for each session) and, where Chromium is installed, in the page of one run while the others run too. All
on one machine, so on one clock; the browser's has whole milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from datetime import datetime

import websockets
from playwright.sync_api import sync_playwright

from bench import figures
from bench.stack import Stack, ladder, started

STAGE = "bar.received"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Notes when each text came in, before the page's own script hears of it.
LISTEN = """
    window.arrivals = [];
    window.WebSocket = class extends WebSocket {
      constructor(...given) {
        super(...given);
        this.addEventListener('message', (event) => { arrivals.push([Date.now(), event.data]); });
      }
    };
"""


def age(text: str, arrived: float) -> float | None:
    """Milliseconds from a frame's birth to ``arrived`` (seconds since the epoch), None for another stage."""
    frame = json.loads(text)
    if frame["stage"] != STAGE:
        return None
    return (arrived - datetime.fromisoformat(frame["emitted_at"]).timestamp()) * 1000


async def in_sockets(stack: Stack, runs: list[str], seconds: float) -> list[float]:
    ages: list[float] = []

    async def follow(run_id: str) -> None:
        url = f"{stack.url.replace('http', 'ws')}/ws/paper/{run_id}"
        async with websockets.connect(url, additional_headers=stack.headers) as socket:
            # What was kept from before the connection is history and not late.
            begin = time.time()
            async for text in socket:
                arrived = time.time()
                found = age(str(text), arrived)
                if found is not None and arrived - found / 1000 > begin:
                    ages.append(found)

    tasks = [asyncio.create_task(follow(run_id)) for run_id in runs]
    finished, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in finished:
        raise SystemExit(f"a socket ended: {task.exception()!r}")
    return ages


def in_browser(stack: Stack, executable: str, run_id: str, seconds: float) -> list[float]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        page = playwright.chromium.launch(executable_path=executable, args=arguments).new_page()
        page.add_init_script(LISTEN)
        page.goto(f"{stack.url}/ui/login/")
        page.get_by_label("Username").fill(stack.operator["username"])
        page.get_by_label("Password").fill(stack.operator["password"])
        page.get_by_role("button", name="Log in").click()
        page.goto(f"{stack.url}/ui/runs/{run_id}/")
        page.wait_for_function(f"() => arrivals.some(([, text]) => text.includes('{STAGE}'))")
        begin = time.time()
        page.wait_for_timeout(seconds * 1000)
        arrivals = page.evaluate("() => arrivals")
    ages = [age(text, at / 1000) for at, text in arrivals if at / 1000 > begin]
    return [found for found in ages if found is not None]


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    table = figures.Figures("latency", options.json)
    with started() as stack:
        for sessions in options.sessions:
            runs = stack.start(ladder(), sessions)
            stack.wait_for_running(sessions)
            table.add(
                f"{sessions:>3} sessions: bar to a script's socket",
                "ms",
                asyncio.run(in_sockets(stack, runs, options.seconds)),
            )
            if executable is not None:
                ages = in_browser(stack, executable, runs[0], options.seconds)
                table.add(f"{sessions:>3} sessions: bar to a browser's page", "ms", ages)
            stack.stop_all()
    table.show()


if __name__ == "__main__":
    main()
