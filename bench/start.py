"""From `make run` to a live page: `python -m bench.start --tries 3`. The environment is installed already.

Each try begins in an empty folder, and then starts once more on the data that is there. Measured: until the address is
printed, and until the demo's first bar has come over `/ws/paper/{id}` to somebody who has logged in.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import requests
from websockets.sync.client import connect
from websockets.typing import Origin

from bench import figures
from bench.stack import PROJECT, clean_environment, free_port, wait_until

_UP = re.compile(r"AlphaSwarm is up: (\S+)/")
_PASSWORD = re.compile(r"Log in as (\S+) with the password (\S+)")


class Starts:
    """Starts of one folder; the first tells the password that the later ones need."""

    def __init__(self, var: Path) -> None:
        self._environment = clean_environment(var)
        self._credentials: tuple[str, str] | None = None

    def measure(self) -> tuple[float, float]:
        """Seconds until the address is printed, and until the first bar."""
        command = ["make", "--no-print-directory", "run", f"PORT={free_port()}"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=PROJECT, env=self._environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            url = self._read_address(process)
            up = time.perf_counter() - began
            self._first_bar(url)
            return up, time.perf_counter() - began
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(120)

    def _read_address(self, process: subprocess.Popen[str]) -> str:
        url = ""
        for line in process.stdout or ():
            if found := _UP.search(line):
                url = found[1]
            if found := _PASSWORD.search(line):
                self._credentials = (found[1], found[2])
            if url and self._credentials:
                return url
        raise SystemExit(f"make run ended with {process.wait()}")

    def _first_bar(self, url: str) -> None:
        session = requests.Session()
        session.get(f"{url}/ui/login/", timeout=30)
        username, password = self._credentials or ("", "")
        form = {"username": username, "password": password, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
        session.post(f"{url}/ui/login/", data=form, headers={"Referer": url}, timeout=30).raise_for_status()
        running: list[str] = []

        def look() -> list[str]:
            items = session.get(f"{url}/paper/runs", timeout=30).json()["items"]
            running.extend(item["id"] for item in items if item["status"] == "running")
            return running

        wait_until(look)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
        address = f"{url.replace('http', 'ws')}/ws/paper/{running[0]}"
        with connect(address, additional_headers={"Cookie": cookies}, origin=Origin(url)) as socket:
            while '"bar.received"' not in str(socket.recv(timeout=30)):
                pass


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--tries", type=int, default=3)
    options = parser.parse_args()
    table = figures.Figures("start", options.json)
    first, again = [], []
    for _ in range(options.tries):
        var = Path(tempfile.mkdtemp(prefix="as-bench-"))
        try:
            starts = Starts(var)
            first.append(starts.measure())
            again.append(starts.measure())
        finally:
            shutil.rmtree(var, ignore_errors=True)
    for name, tries in (("first start", first), ("start on existing data", again)):
        table.add(f"{name}: address printed", "s", [up for up, _ in tries])
        table.add(f"{name}: the demo's first bar", "s", [bar for _, bar in tries])
    table.show()


if __name__ == "__main__":
    main()
