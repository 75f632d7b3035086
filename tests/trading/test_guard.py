"""The guard's duties: none waits for another, and none ends by an error."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError

from tests.risk.waiting import eventually
from trading.guard.duties import Duty, keep


@contextmanager
def kept(*duties: Duty) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=keep, args=(duties, over))
    thread.start()
    yield
    over.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [OperationalError("gone"), KeyError("surprise")])
def test_a_duty_goes_on_after_an_error(error):
    tries = []

    def work():
        tries.append(len(tries))
        if len(tries) < 3:
            raise error

    with kept(Duty("one that fails", 0.001, work)):
        eventually(lambda: len(tries) > 3)


def test_a_duty_that_hangs_holds_up_no_other():
    rounds, go = [], threading.Event()
    with kept(Duty("one that hangs", 0.001, go.wait), Duty("another", 0.001, lambda: rounds.append(1))):
        eventually(lambda: len(rounds) > 3)
        go.set()
