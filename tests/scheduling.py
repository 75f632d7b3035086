"""Which worker runs which tests: files as a whole, and those that share the whole stack all on one worker.

A stack is a dozen processes; one is enough. Files are taken in their order: by their number of tests (xdist's own way)
those would come last that start stacks of their own, and one worker would wait for the other.
"""

from __future__ import annotations

from functools import cache

from xdist.scheduler import LoadFileScheduling

from tests.environment import PROJECT

_WHOLE_STACK = "live_stack"


class Scheduler(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return _WHOLE_STACK if _shares_the_stack(file) else file


@cache
def _shares_the_stack(file: str) -> bool:
    """Whether a test file, or the conftest.py beside it, asks for the stack."""
    path = PROJECT / file
    asking = [path] if path.parent == PROJECT / "tests" else [path, path.with_name("conftest.py")]
    return any(one.is_file() and _WHOLE_STACK in one.read_text() for one in asking)
