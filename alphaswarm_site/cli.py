"""`alphaswarm`, the same program as `python manage.py`."""

import os
import signal
import sys
from contextlib import nullcontext
from pathlib import PurePath
from types import FrameType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import ManagementUtility

from alphaswarm_site.stack.errors import StackError
from alphaswarm_site.stack.running import servers

# Django's own commands that touch the database; the product's commands see to their servers themselves.
WITH_SERVERS = {
    *("changepassword", "clearsessions", "createsuperuser", "dbshell", "dumpdata", "flush", "inspectdb"),
    *("loaddata", "migrate", "shell", "showmigrations", "sqlmigrate"),
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")
    signal.signal(signal.SIGTERM, _leave)
    try:
        _run(sys.argv)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        # Whoever read the answer has had enough; nothing is left to be flushed to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


def _run(argv: list[str]) -> None:
    wanted = len(argv) > 1 and argv[1] in WITH_SERVERS
    try:
        with servers(settings.STACK) if wanted else nullcontext():
            ManagementUtility(argv).execute()
    except StackError as error:
        sys.exit(str(error))
    except ImproperlyConfigured as error:
        print(f"{PurePath(argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)


def _leave(number: int, frame: FrameType | None) -> None:
    """End by an exception, so that servers which this command started are stopped on the way out."""
    sys.exit(128 + number)
