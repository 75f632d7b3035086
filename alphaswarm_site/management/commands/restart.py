"""`alphaswarm restart`: the processes of a running stack one by one, while its sessions go on."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from alphaswarm_site.commands import BadInput, CommandFailed, Document, ProductCommand
from alphaswarm_site.stack import restarting
from alphaswarm_site.stack.running import ensure_running
from alphaswarm_site.stack.supervisor import Supervisor
from trading import releases


class Command(ProductCommand):
    help = "Restart the processes of this machine's stack one by one; workers hand their sessions over."
    needs_servers = False

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(restarting.ORDER)
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"which, in this order; all by default: {names}")
        parser.add_argument(
            "--migrate", action="store_true", help="all at once, with the database updated while sessions pause"
        )

    def answer(self, names: list[str], migrate: bool, **options: Any) -> Document:
        unknown = [name for name in names if name not in restarting.ORDER]
        if unknown:
            raise BadInput(f"there is no {', '.join(unknown)}: {', '.join(restarting.ORDER)}")
        if migrate and names:
            raise BadInput("--migrate restarts all: name none")
        if not settings.STACK.env.exists() or Supervisor(settings.STACK).pid() is None:
            raise CommandFailed(f"no stack is up in {settings.STACK.var}: start it with `alphaswarm up`", "not_up")
        if migrate:
            return self._migrate()
        with ensure_running(self.progress, strict=True) as supervisor:
            self._check_version(names)
            done = [restarting.one(supervisor, name, self.progress) for name in names or restarting.ORDER]
            return {"items": done, "next": None}

    def show(self, document: Document) -> None:
        for row in document["items"]:
            self.stdout.write(f"{row['name']:<14} {row['version']}  {row['seconds']:.1f} s")

    def _check_version(self, names: list[str]) -> None:
        """All of a stack have one version, so a new one is that of all."""
        if not names:
            releases.declare()
        elif releases.declared() not in (None, settings.PROGRAM_VERSION):
            raise CommandFailed(f"{releases.OtherVersion(releases.declared() or '')}: restart all, name none")

    def _migrate(self) -> Document:
        supervisor = Supervisor(settings.STACK)
        restarting.pause(supervisor, self.progress)
        try:
            with ensure_running(self.progress, strict=True):
                releases.declare()
        finally:
            # Also where the database was not updated: sessions go on as they were.
            done = restarting.go_on(supervisor, self.progress)
        return {"items": done, "next": None}
