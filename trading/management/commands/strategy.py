"""`alphaswarm strategy new | list`: begin a strategy, or say which there are."""

from __future__ import annotations

import inspect
from typing import Any

from django.core.management.base import CommandParser

from alphaswarm_site.commands import BadInput, Document, ProductCommand
from trading.engine.errors import InvalidValue
from trading.recipes.reading import PROJECT
from trading.scaffolding import new_strategy
from trading.strategies import STRATEGIES


class Command(ProductCommand):
    help = "Begin a strategy of your own, or list those that a recipe may name."
    needs_servers = False

    def add_arguments(self, parser: CommandParser) -> None:
        new = self.verb(parser, "new", self.new, "Write a working strategy to change, its test and its recipe.")
        new.add_argument("name", metavar="NAME", help="lower-case words joined by underscores, such as opening_range")
        self.verb(parser, "list", self.list, "List the strategies with their settings and defaults.")

    def new(self, name: str, **options: Any) -> Document:
        try:
            cls, files = new_strategy(PROJECT, name)
        except InvalidValue as error:
            raise BadInput(str(error), field="name") from error
        module = name.removesuffix("_strategy")
        return {
            "class": cls,
            "files": files,
            "next": [
                f"change {files[0]}",
                f".venv/bin/python -m pytest {files[1]}",
                f".venv/bin/alphaswarm backtest run --config {module}",
            ],
        }

    def list(self, **options: Any) -> Document:
        return {"items": [_described(name, cls) for name, cls in STRATEGIES.items()], "next": None}

    def show(self, document: Document) -> None:
        for item in document.get("items", ()):
            settings = ", ".join(f"{name}={value}" for name, value in item["settings"].items())
            self.stdout.write(f"{item['class']}({settings})\n    {item['summary']}")
        if "files" in document:
            self.stdout.write(
                "\n".join([f"{document['class']} is ready:", *(f"  {file}" for file in document["files"])])
            )
            self.stdout.write("\n".join(["Next:", *(f"  {step}" for step in document["next"])]))


def _described(name: str, cls: type) -> dict[str, Any]:
    parameters = inspect.signature(cls).parameters.values()
    module = inspect.getmodule(cls)
    return {
        "class": name,
        "summary": (inspect.getdoc(module) or "").split("\n", 1)[0],
        "settings": {parameter.name: _plain(parameter.default) for parameter in parameters},
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
