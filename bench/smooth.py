"""Whether pages stay smooth when frames rain: `python -m bench.smooth --frames 1000 --seconds 20`.

A stack of its own with one session, and Chromium on the Portfolio page and on the run's. So many frames a second, made
like those of a session that trades (half of them orders and fills, the rest bars and equity), are handed to the page's
own socket as if they had come over it; what they make the page ask for, the server answers. The server itself sends no
browser so much for long: see `trading.frames.pace`.

Pictures drawn a second, the time between two, the tasks of the page that took longer than 50 ms, and its memory.
"""

from __future__ import annotations

import shutil
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench import figures
from bench.latency import BROWSERS
from bench.stack import Stack, ladder, started

#: Lets the script below reach the page's sockets.
CATCH = """
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
      constructor(...given) { super(...given); sockets.push(this); }
    };
"""
#: Runs for so many seconds in the page. Frames come a few every 10 ms, as a network hands them over.
RAIN = """
    async ({ frames, seconds, path }) => {
      const socket = sockets.findLast((one) => one.url.includes(path));
      const overview = JSON.stringify(await (await fetch("/portfolio")).json());
      const tasks = [];
      const watch = new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration)));
      watch.observe({ type: "longtask" });
      const gaps = [];
      let shown = performance.now();
      let going = true;
      const picture = (at) => {
        gaps.push(at - shown);
        shown = at;
        if (going) requestAnimationFrame(picture);
      };
      let seq = 1_000_000_000;
      const begin = Date.now();
      const frame = () => {
        seq += 1;
        const symbol = seq % 2 ? "SPY" : "BAC";
        const timestamp = new Date(begin + (seq - 1_000_000_000) * 5).toISOString();
        const common = { task_id: "", seq, timestamp, emitted_at: new Date().toISOString(), message: "bench" };
        const price = 100 + Math.sin(seq / 500);
        const terms = { side: "buy", qty: "1", type: "limit", price: price.toFixed(2), reason: "" };
        const order = { order_id: `bench-${seq >> 2}`, symbol, ...terms };
        const bar = { symbol, open: price, high: price + 0.1, low: price - 0.1, close: price, volume: 1 };
        if (path.includes("portfolio")) {
          return JSON.stringify({ ...common, stage: "portfolio" }).slice(0, -1) + `,"portfolio":${overview}}`;
        }
        return JSON.stringify([
          { ...common, ...order, stage: "order.placed", order_status: "submitted" },
          { ...common, ...order, stage: "order.filled", order_status: "filled", execution_id: `bench-${seq}` },
          { ...common, ...bar, stage: "bar.received" },
          { ...common, stage: "equity.update", equity: (100000 + Math.sin(seq / 300) * 100).toFixed(2), cash: "1" },
        ][seq % 4]);
      };
      const memory = () => performance.memory.usedJSHeapSize / 1e6;
      const before = memory();
      requestAnimationFrame(picture);
      const started = performance.now();
      let sent = 0;
      while (performance.now() - started < seconds * 1000) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        const due = Math.floor(((performance.now() - started) / 1000) * frames);
        for (; sent < due; sent += 1) socket.dispatchEvent(new MessageEvent("message", { data: frame() }));
      }
      going = false;
      const took = (performance.now() - started) / 1000;
      return { gaps: gaps.slice(1), tasks, took, sent, before, after: memory() };
    }
"""


def rain(page: Page, path: str, frames: int, seconds: float) -> dict[str, Any]:
    page.wait_for_function("(path) => sockets.some((one) => one.url.includes(path) && one.readyState === 1)", arg=path)
    page.wait_for_timeout(3000)
    found: dict[str, Any] = page.evaluate(RAIN, {"frames": frames, "seconds": seconds, "path": path})
    return found


def measure(stack: Stack, executable: str, frames: int, seconds: float, table: figures.Figures) -> None:
    (run_id,) = stack.start(ladder())
    stack.wait_for_running(1)
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--enable-precise-memory-info"]
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=executable, args=arguments).new_page()
        page.add_init_script(CATCH)
        page.goto(f"{stack.url}/ui/login/")
        page.get_by_label("Username").fill(stack.operator["username"])
        page.get_by_label("Password").fill(stack.operator["password"])
        page.get_by_role("button", name="Log in").click()
        pages = {
            "Portfolio": ("/ui/portfolio/", "/ws/portfolio"),
            "Run": (f"/ui/runs/{run_id}/", f"/ws/paper/{run_id}"),
        }
        for name, (address, path) in pages.items():
            for rate in (0, frames):
                page.goto(stack.url + address)
                found = rain(page, path, rate, seconds)
                said = f"{name}, {rate} frames a second"
                table.add(f"{said}: pictures a second", "1/s", [len(found["gaps"]) / found["took"]])
                table.add(f"{said}: between two pictures", "ms", found["gaps"])
                table.add(f"{said}: long tasks", "count", [len(found["tasks"])])
                table.add(f"{said}: in long tasks, of a second", "ms", [sum(found["tasks"]) / found["took"]])
                table.add(f"{said}: the longest task", "ms", [max(found["tasks"], default=0.0)])
                table.add(f"{said}: frames taken a second", "1/s", [found["sent"] / found["took"]])
                table.add(f"{said}: memory, before and after", "MB", [found["before"], found["after"]])


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--frames", type=int, default=1000, help="a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        raise SystemExit("no Chromium on PATH")
    table = figures.Figures("smooth", options.json)
    with started() as stack:
        measure(stack, executable, options.frames, options.seconds, table)
    table.show()


if __name__ == "__main__":
    main()
