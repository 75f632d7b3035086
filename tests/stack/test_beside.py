"""A command beside a stack that runs."""

from pathlib import Path

from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.supervisor import Supervisor
from tests.live import LiveStack


def test_it_uses_the_servers_of_the_stack_and_leaves_them_running(live_stack: LiveStack) -> None:
    supervisor = Supervisor(StackPaths(live_stack.var)).pid()
    assert live_stack.cli("shell", "-c", "print(6 * 7)").stdout.endswith("42\n")
    assert Supervisor(StackPaths(live_stack.var)).pid() == supervisor
    assert Path(live_stack.var, "env").exists()
