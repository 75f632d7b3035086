"""`alphaswarm up`: the whole stack on this machine, until Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from access.principals import cli_principal
from alphaswarm_site.commands import Document, ProductCommand
from alphaswarm_site.stack import first_run
from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.running import ensure_running, make_folders
from alphaswarm_site.stack.site import Address, owned, running_site
from alphaswarm_site.stack.supervisor import Supervisor
from trading import releases
from trading.actions import GateRefused, StartHeld, start_demo
from trading.recipes import RecipeError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command(ProductCommand):
    help = "Run the whole stack on this machine: servers, site, workers. Ctrl-C stops it."
    needs_servers = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
        parser.add_argument("--no-demo", action="store_false", dest="demo", help="start no demo run")

    def answer(self, host: str, port: int, demo: bool, **options: Any) -> None:
        address = Address(host, port)
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
        make_folders(settings.STACK)
        with owned(settings.STACK, address), ensure_running(self.progress, strict=True) as supervisor:
            first_run.collect_static_files()
            self.progress("Starting the site ...")
            with _declared_version(), running_site(settings.STACK, supervisor, address, self.progress):
                # Last of all, so that a start that fails does not swallow the password.
                operator = first_run.create_first_operator()
                self.emit({"url": address.url, "operator": operator, "var": str(settings.STACK.var)})
                if demo:
                    self._start_demo()
                _wait_to_be_told(supervisor)
                self.progress("Stopping ...")

    def show(self, document: Document) -> None:
        self.stdout.write(f"\nAlphaSwarm is up: {document['url']}")
        if operator := document["operator"]:
            self.stdout.write(
                f"Log in as {operator['username']} with the password {operator['password']}\n"
                "It is shown this once. To change it: .venv/bin/alphaswarm changepassword operator"
            )
        self.stdout.write(f"Logs: {document['var']}/log   Stop: Ctrl-C\n")

    def _start_demo(self) -> None:
        try:
            run = start_demo(principal=cli_principal())
        except (RecipeError, GateRefused, StartHeld) as error:
            self.progress(f"No demo run: {error}")
            return
        if run is not None:
            self.progress("A demo run trades simulated money on synthetic prices. Without it: alphaswarm up --no-demo")


@contextmanager
def _declared_version() -> Iterator[None]:
    """While inside, processes of this version alone own runs."""
    releases.declare()
    try:
        yield
    finally:
        releases.withdraw()


def _wait_to_be_told(supervisor: Supervisor) -> None:
    """Until Ctrl-C or its like. The signals stay blocked, so that a second one does not cut the stopping short."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    while signal.sigtimedwait(STOP_SIGNALS, 1) is None:
        if supervisor.pid() is None:
            raise StackError("supervisord has ended unexpectedly: start again")
