"""`alphaswarm bot save | list | show | backtest`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, ProductCommand
from trading import host
from trading.bots import actions, queries
from trading.management.progress import Progress
from trading.management.running import answer_of, draining_on_signals, told_errors
from trading.models import Bot

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Command(ProductCommand):
    help = "Keep recipes under a name, version by version, and backtest them."

    def add_arguments(self, parser: CommandParser) -> None:
        save = self.verb(parser, "save", self.save, "Save a recipe; under a name that is taken, as its next version.")
        save.add_argument("name", metavar="NAME", help="letters, digits, - and _")
        save.add_argument("--config", required=True, help="a recipe's file, or its name in configs/paper")
        self.verb(parser, "list", self.listed, "List all bots.")
        show = self.verb(parser, "show", self.one, "Show a bot: its versions, backtests and sessions.")
        show.add_argument("name", metavar="NAME", help="its name or its id")
        backtest = self.verb(parser, "backtest", self.backtest, "Run a backtest of a bot; Ctrl-C stops it.")
        backtest.add_argument("name", metavar="NAME", help="its name or its id")
        backtest.add_argument("--version", type=int, dest="number", help="by default the newest")
        backtest.add_argument("--data", help="bars from this CSV or Parquet file or folder, not the bot's feed")
        backtest.add_argument("--celery", action="store_true", help="hand it to the workers and return")

    def save(self, name: str, config: str, **options: Any) -> dict[str, Any]:
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name}: a name is 1 to 80 letters, digits, - and _", "invalid")
        with told_errors():
            return queries.detail(actions.save_bot(name, config, principal=cli_principal()))

    def listed(self, **options: Any) -> dict[str, Any]:
        items, cursor = [], None
        while True:
            found = queries.bots(cursor)
            items += found["items"]
            cursor = found["next"]
            if cursor is None:
                return {"items": items, "next": None}

    def one(self, name: str, **options: Any) -> dict[str, Any]:
        return queries.detail(self._find(name))

    def backtest(
        self, name: str, number: int | None, data: str | None, celery: bool, **options: Any
    ) -> dict[str, Any] | None:
        bot = self._find(name)
        bars = str(Path(data).resolve()) if data else None
        progress = Progress(getattr(self.stderr, "_out", None))
        with told_errors():
            run = actions.start_backtest(
                bot, principal=cli_principal(), version=number, data=bars, enqueue=celery, thorough=True
            )
            if celery:
                return {"task_id": run.task_id, "run_id": str(run.id)}
            with draining_on_signals():
                summary = host.run_backtest(run.id, observer=progress)
        progress.close()
        answer_of(summary, self.emit)
        return None

    def show(self, document: Any) -> None:
        if "items" in document:
            self._show_list(document["items"])
        elif "versions" in document:
            self._show_bot(document)
        else:
            super().show(document)

    def _show_list(self, items: list[dict[str, Any]]) -> None:
        if not items:
            self.stdout.write("No bot yet. Save one: alphaswarm bot save my_bot --config demo")
        for bot in items:
            self.stdout.write(
                f"{bot['name']:<30} v{bot['version']:<3} sharpe {_figure(bot['sharpe'])}  {bot['strategy']}"
            )

    def _show_bot(self, bot: dict[str, Any]) -> None:
        self.stdout.write(f"{bot['name']}  {bot['id']}")
        for version in bot["versions"]:
            tested = "tested" if version["tested"] else "not tested"
            when = version["created_at"][:19]
            self.stdout.write(f"  v{version['number']:<3} {when}  {version['sha256'][:16]}  {tested}")
        for run in bot["backtest_runs"] + bot["runs"]:
            self.stdout.write(
                f"  {run['mode']:<8} {run['id']}  v{run['bot_version']}  {run['status']:<10}"
                f" sharpe {_figure(run['sharpe'])}"
            )

    def _find(self, name: str) -> Bot:
        bot = queries.find_named(name)
        if bot is None:
            raise BadInput(f"there is no bot {name}; `alphaswarm bot list` lists them", "unknown_bot")
        return bot


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
