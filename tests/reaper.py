"""What a test session started ends with it, even if the session is killed."""

import shutil
import subprocess
import sys
from pathlib import Path

from alphaswarm_site.stack import leftovers
from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.supervisor import Supervisor
from tests.environment import PROJECT

_reapers = []


def watch(var: Path) -> None:
    """Have a process wait for the end of this one, then end the stack in `var` and remove the folder."""
    command = [sys.executable, "-m", "tests.reaper", str(var)]
    # It reads from a pipe that nobody writes to, and that the system closes with this process.
    _reapers.append(subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, start_new_session=True))


def _reap(var: Path) -> None:
    paths = StackPaths(var)
    Supervisor(paths).shut_down()
    leftovers.end(paths)
    shutil.rmtree(var, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    _reap(Path(sys.argv[1]))
