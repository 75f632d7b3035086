"""`alphaswarm backtest run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import ProductCommand
from trading import actions, host, recipes, runner
from trading.management.progress import Progress
from trading.management.running import answer_of, told_errors


class Command(ProductCommand):
    help = "Run a recipe over recorded or made-up bars."

    def add_arguments(self, parser: CommandParser) -> None:
        run = self.verb(parser, "run", self.run, "Run a backtest here and print what it came to.")
        run.add_argument("--config", required=True, help="a recipe's file, or its name in configs/paper")
        run.add_argument("--data", help="bars from this CSV or Parquet file instead of the recipe's feed")

    def run(self, config: str, data: str | None, **options: Any) -> None:
        progress = Progress(getattr(self.stderr, "_out", None))
        with told_errors():
            recipe = runner.read_recipe(config)
            if data:
                recipe = recipes.with_feed(recipe, "ReplayFeed", {"path": str(Path(data).resolve()), "speed": "max"})
            run = actions.start_backtest(recipe, principal=cli_principal(), enqueue=False)
            summary = host.run_backtest(run.id, observer=progress)
        progress.close()
        answer_of(summary, self.emit)
