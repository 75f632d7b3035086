"""Does anything grow that should not? `python -m bench.soak --minutes 60 --sessions 50`.

Sessions at one bar a second that trade, each ended after a while and begun anew, so that what ends has to let go. Every
ten seconds: memory and open files of each program, connections of PostgreSQL, memory and keys of Redis, and how long
the quietest session has written nothing. A leak is a slope that is four standard errors over zero once the warm-up is
over, and that adds a tenth of the level in an hour. Writes a JSON document and a chart; ends by itself, with exit code
1 where something leaks.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import redis

from bench import figures
from bench.soak_chart import chart
from bench.stack import PROJECT, Stack, recipe, running, started, wait_until

SAMPLE_SECONDS: Final = 10.0
#: Of the whole time, left out of the slopes: caches fill, pools grow to their size.
WARM_UP: Final = 0.25
#: A slope counts from so many standard errors on, and where an hour of it is so much of the level.
ERRORS: Final = 4.0
SHARE_AN_HOUR: Final = 0.1
#: A word of the command line, and what the program is called; workers are called by their host names.
_PROGRAMS: Final = {
    "alphaswarm_site.asgi:application": "web",
    "beat": "beat",
    "guard": "guard",
    "gatekeeper": "gatekeeper",
}
_LATE: Final = """
    SELECT coalesce(extract(epoch FROM now() - min(newest)), 0)::float
      FROM (SELECT max(e.recorded_at) AS newest FROM runs r JOIN ledger_events e ON e.run_id = r.id
             WHERE r.status = 'running' GROUP BY r.id) each_run
"""


@dataclass
class Series:
    """One figure over time; ``seconds`` since the beginning. ``slope`` an hour, ``error`` its standard error."""

    name: str
    unit: str
    seconds: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    slope: float = 0.0
    error: float = 0.0
    leaks: bool = False

    def judge(self, watched: bool) -> None:
        """Fit a line through what came after the warm-up."""
        start = self.seconds[-1] * WARM_UP if self.seconds else 0.0
        points = [(x / 3600, y) for x, y in zip(self.seconds, self.values, strict=True) if x >= start]
        self.slope, self.error = _line(points)
        level = sum(y for _, y in points) / len(points) if points else 0.0
        self.leaks = watched and self.slope > ERRORS * self.error and self.slope > SHARE_AN_HOUR * max(level, 1.0)


def _line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Slope of the least squares line through the points, and its standard error."""
    count = len(points)
    if count < 3:
        return 0.0, float("inf")
    middle_x, middle_y = (sum(axis) / count for axis in zip(*points, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread
    left = sum((y - middle_y - slope * (x - middle_x)) ** 2 for x, y in points)
    return slope, (left / (count - 2) / spread) ** 0.5


def trader(seed: int, seconds: int) -> dict[str, Any]:
    """A session at one bar a second and symbol that crosses its averages every few bars, and ends after ``seconds``."""
    strategy = {"class": "SmaCrossStrategy", "kwargs": {"fast": 2, "slow": 5, "quantity": 1}}
    feed = {"class": "SyntheticFeed", "kwargs": {"seed": seed, "timeframe": "1Sec", "pace": "1x"}}
    return recipe(strategy, feed, max_bars=2 * seconds)


class Soak:
    def __init__(self, stack: Stack, sessions: int, minutes: float) -> None:
        self._stack = stack
        self._sessions = sessions
        self._seconds = minutes * 60
        self._database = stack.database()
        self._redis: Any = redis.Redis.from_url(stack.servers["REDIS_URL"])
        self._series: dict[str, Series] = {}
        self._begun = 0

    def run(self) -> list[Series]:
        self._keep_up()
        wait_until(lambda: running(self._database) >= self._sessions)
        started = time.monotonic()
        while (passed := time.monotonic() - started) < self._seconds:
            self._sample(passed)
            self._keep_up()
            time.sleep(max(0.0, started + passed + SAMPLE_SECONDS - time.monotonic()))
        self._stack.stop_all()
        for series in self._series.values():
            # A new run leaves rows and, for some days, its stream of frames behind; they are no leak, but told.
            series.judge(not series.name.startswith(("redis", "lag")))
        return list(self._series.values())

    def _keep_up(self) -> None:
        """Begin as many sessions as have ended; each lives for a time of its own, a fifth of the whole or so."""
        for _ in range(self._sessions - running(self._database)):
            self._begun += 1
            life = int(self._seconds / 5 * (0.5 + self._begun % 10 / 10))
            self._stack.start(trader(self._begun, max(20, life)))

    def _sample(self, passed: float) -> None:
        for name, processes in _programs(self._stack).items():
            used = [(process.memory_info().rss, process.num_fds()) for process in processes if process.is_running()]
            self._add(f"memory of {name}", "MB", passed, sum(memory for memory, _ in used) / 2**20)
            self._add(f"open files of {name}", "", passed, float(sum(files for _, files in used)))
        self._add("connections of postgres", "", passed, _one(self._database, "SELECT count(*) FROM pg_stat_activity"))
        info = self._redis.info("memory")
        self._add("redis memory", "MB", passed, info["used_memory"] / 2**20)
        self._add("redis keys", "", passed, float(self._redis.dbsize()))
        eternal = [key for key in self._redis.scan_iter("frames:*") if self._redis.ttl(key) == -1]
        self._add("streams of frames that never expire", "", passed, float(len(set(eternal) - {b"frames:control"})))
        self._add("lag of the quietest session", "s", passed, _one(self._database, _LATE))

    def _add(self, name: str, unit: str, passed: float, value: float) -> None:
        series = self._series.setdefault(name, Series(name, unit))
        series.seconds.append(round(passed, 1))
        series.values.append(round(value, 3))


def _programs(stack: Stack) -> dict[str, list[psutil.Process]]:
    """The stack's own processes, by the program that they belong to."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            mine = process.environ().get("ALPHASWARM_STACK") == str(stack.var)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        host = next((word.partition("=")[2].partition("@")[0] for word in words if word.startswith("--hostname=")), "")
        name = host or next((name for word, name in _PROGRAMS.items() if word in words), "")
        if mine and name:
            found.setdefault(name, []).append(process)
    return found


def _one(database: psycopg.Connection[Any], query: Any) -> float:
    row = database.execute(query).fetchone()
    return float(row[0]) if row else 0.0


def main() -> None:
    parser = figures.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--out", type=Path, default=PROJECT / "docs", help="where soak.json and soak.svg go")
    options = parser.parse_args()
    head = figures.Figures("soak", options.json)
    with started() as stack:
        series = Soak(stack, options.sessions, options.minutes).run()
    leaks = [each.name for each in series if each.leaks]
    about = {name: value for name, value in asdict(head).items() if name not in ("as_json", "rows")}
    document = {**about, "minutes": options.minutes, "sessions": options.sessions, "leaks": leaks}
    document["series"] = [asdict(each) for each in series]
    (options.out / "soak.json").write_text(json.dumps(document) + "\n")
    (options.out / "soak.svg").write_text(chart(document))
    if options.json:
        print(json.dumps(document))
    else:
        for each in series:
            verdict = "LEAKS" if each.leaks else ""
            print(f"{each.name:40} {each.values[-1]:>10,.1f} {each.unit:3} {each.slope:>+10,.2f} an hour {verdict}")
    sys.exit(bool(leaks))


if __name__ == "__main__":
    main()
