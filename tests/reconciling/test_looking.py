"""When an account is looked at, and what two looks at it tell."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.reconciling.places import silently, venue
from tests.venues.alpaca import AlpacaStub
from trading.reconciling import looking
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
    door = listening()
    looks = Looks(door)

    async def watch() -> None:
        await looks.look_if_due()
        door.connections, door.updates_healthy = 2, False
        await looks.look_if_due()
        assert len(looked) == 1
        door.updates_healthy = True
        await looks.look_if_due()
        await looks.look_if_due()

    asyncio.run(watch())
    assert len(looked) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_a_reconnect_amid_the_look_of_another_session_is_looked_after_when_that_is_over(
    looked: list[str], monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    door = listening()
    looks, other = Looks(door), Looks(listening())

    async def watch() -> None:
        slow = asyncio.create_task(other.look_if_due())
        await begun.wait()
        door.connections = 2
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


@pytest.mark.django_db(transaction=True)
def test_what_two_sessions_see_at_once_is_not_before_a_person_until_it_has_stayed(
    stub: AlpacaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "AGAIN_SECONDS", 1.0)
    door = venue(stub)
    one, other = Looks(door), Looks(door)

    async def look_often() -> None:
        await one.begin()
        await asyncio.to_thread(silently, stub, 5)
        for looks in (one, other):
            settled = await looks.look()
            assert settled.found and not settled.opened
        await asyncio.sleep(looking.AGAIN_SECONDS)
        assert (await other.look()).opened

    async def connected() -> None:
        await door.connect_async()
        try:
            await look_often()
        finally:
            await door.close_async()

    asyncio.run(connected())
