"""`alphaswarm kill engage` with the interpreter's start left out: `python -m bench.kill_call`.

Says "ready", waits for a line, calls the command, and prints the moment of the call (seconds since the epoch).
"""

from __future__ import annotations

import os
import sys
import time
from io import StringIO


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")
    import django
    from django.core.management import call_command, load_command_class

    django.setup()
    command = load_command_class("risk", "kill")
    print("ready", flush=True)
    sys.stdin.readline()
    called_at = time.time()
    call_command(command, "engage", "--reason", "drill", "--json", stdout=StringIO(), stderr=StringIO())
    print(called_at, flush=True)


if __name__ == "__main__":
    main()
