"""When an account is looked at, and what two looks at it tell."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from trading.reconciling.looking import Looks


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each look; none of them asks anybody."""
    made: list[str] = []

    async def look(looks: Looks) -> None:
        made.append(looks._name)

    monkeypatch.setattr(Looks, "look", look)
    return made


def listening() -> Any:
    return SimpleNamespace(account="stub-paper", connections=1, updates_healthy=True)


def test_a_reconnect_is_looked_after_once_updates_flow_again(looked: list[str]) -> None:
    venue = listening()
    looks = Looks(venue)

    async def watch() -> None:
        await looks.look_if_due()
        venue.connections, venue.updates_healthy = 2, False
        await looks.look_if_due()
        assert len(looked) == 1
        venue.updates_healthy = True
        await looks.look_if_due()
        await looks.look_if_due()

    asyncio.run(watch())
    assert len(looked) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_a_reconnect_amid_the_look_of_another_session_is_looked_after_when_that_is_over(
    looked: list[str], monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    venue = listening()
    looks, other = Looks(venue), Looks(listening())

    async def watch() -> None:
        slow = asyncio.create_task(other.look_if_due())
        await begun.wait()
        venue.connections = 2
        await looks.look_if_due()
        assert not looked
        done.set()
        await slow
        await looks.look_if_due()

    async def slowly() -> None:
        begun.set()
        await done.wait()
        if fails:
            raise TimeoutError

    begun, done = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(other, "look", slowly)
    asyncio.run(watch())
    assert len(looked) == 1
