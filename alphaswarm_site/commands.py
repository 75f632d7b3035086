"""What every command of the product has in common: servers that run, `--json`, one-line errors, exit codes.

    class Command(ProductCommand):
        def add_arguments(self, parser):
            status = self.verb(parser, "status", self.status, "Say what runs.")
            status.add_argument("task_id", nargs="?")

        def status(self, task_id=None, **options):
            self.progress("Looking ...")
            return {"items": [...], "next": None}

        def show(self, document):                  # without --json; by default each field on its line
            self.stdout.write(...)

A command without verbs overrides `answer(**options)` instead. What is returned is the JSON document.
Exit codes: 0 done, 1 failed, 2 bad input, 3 refused by a gate or the kill switch.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, handle_default_options
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections

from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.running import ensure_running

Document = Mapping[str, Any]
Handler = Callable[..., Document | None]


class CommandFailed(CommandError):
    """An expected failure: told in one line; `extras` go into the JSON document beside `code` and `detail`."""

    exit_code = 1
    default_code = "failed"

    def __init__(self, detail: str, code: str = "", **extras: Any) -> None:
        super().__init__(detail, returncode=self.exit_code)
        self.document = {"code": code or self.default_code, "detail": detail, **extras}


class BadInput(CommandFailed):
    exit_code = 2
    default_code = "bad_input"


class Refused(CommandFailed):
    exit_code = 3
    default_code = "refused"


class ProductCommand(BaseCommand):
    """See the module. `needs_servers` is False for a command that must work with the database down."""

    requires_system_checks: list[str] = []
    needs_servers = True
    json = False
    _verbs: Any = None

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        self._verbs = None
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if self._verbs is None:
            _add_json(parser)
        return parser

    def verb(self, parser: CommandParser, name: str, handler: Handler, help_text: str) -> CommandParser:
        """Add `alphaswarm COMMAND NAME`, answered by `handler(**options)`."""
        if self._verbs is None:
            self._verbs = parser.add_subparsers(metavar="VERB", required=True)
        verb: CommandParser = self._verbs.add_parser(name, help=help_text, description=help_text)
        verb.set_defaults(handler=handler)
        _add_json(verb)
        return verb

    def answer(self, **options: Any) -> Document | None:
        """Do the work of a command without verbs."""
        raise BadInput("name what to do; --help lists it")

    def show(self, document: Document) -> None:
        """Print the answer for a person."""
        for name, value in document.items():
            self.stdout.write(f"{name}: {value}")

    def emit(self, document: Document) -> None:
        """Print the answer; called for what a handler returns, or earlier by one that goes on after it."""
        if self.json:
            self.stdout.write(json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False))
        else:
            self.show(document)
        self.stdout.flush()

    def progress(self, text: str) -> None:
        """What happens meanwhile: on the terminal, out of the way of a JSON document."""
        stream = self.stderr if self.json else self.stdout
        # Django paints all that goes to standard error red, and this is no error.
        stream.write(text, style_func=str)
        stream.flush()

    def run_from_argv(self, argv: list[str]) -> None:
        self.json = "--json" in argv
        try:
            self.execute(**self._parse(argv))
        except CommandError as error:
            failure = error if isinstance(error, CommandFailed) else CommandFailed(str(error))
            if self.json:
                self.emit(failure.document)
            self.stderr.write(f"{argv[1]}: {failure}")
            sys.exit(failure.returncode)
        finally:
            connections.close_all()

    def handle(self, *args: Any, handler: Handler | None = None, **options: Any) -> None:
        self.json = options.pop("json", False)
        try:
            with ensure_running(self.progress) if self.needs_servers else nullcontext():
                document = (handler or self.answer)(**options)
                if document is not None:
                    self.emit(document)
        except StackError as error:
            raise CommandFailed(str(error), "servers_unavailable") from error

    def _parse(self, argv: list[str]) -> dict[str, Any]:
        try:
            options = self.create_parser(argv[0], argv[1]).parse_args(argv[2:])
        except CommandError as error:
            raise BadInput(str(error).removeprefix("Error: ")) from error
        handle_default_options(options)
        return vars(options)


def _add_json(parser: CommandParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
