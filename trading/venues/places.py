"""Which accounts there are: a paper and a live one at each venue whose accounts runs share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import msgspec

from brokers import BROKERAGES
from brokers.threaded import ThreadedBrokerage
from trading.recipes.credentials import completed, needed, variables_of


class Place(msgspec.Struct, frozen=True):
    """An account by its name in ``runs.account``, and the adapter that leads there."""

    account: str
    live: bool
    adapter: type[ThreadedBrokerage]

    @property
    def needed(self) -> list[str]:
        """The variables that must be set before anything can be asked."""
        return needed(self.adapter)

    @property
    def hint(self) -> str:
        return f"Set {' and '.join(self.needed)} in the environment of the servers, and start them again."

    def is_set_up(self, environment: Mapping[str, str] = os.environ) -> bool:
        """Whether the environment means this venue."""
        return not self.missing(environment) and any(environment.get(name) for name in variables_of(self.adapter))

    def missing(self, environment: Mapping[str, str] = os.environ) -> list[str]:
        """Those of ``needed`` that are not set."""
        return [name for name in self.needed if not environment.get(name, "").strip()]

    def door(self, environment: Mapping[str, str] = os.environ) -> ThreadedBrokerage:
        """An adapter with the environment's secrets, which has contacted nobody yet; raises `InvalidValue`."""
        return self.adapter(**completed(self.adapter, {"paper": not self.live}, {}, environment))


PLACES: Final[Mapping[str, Place]] = {
    place.account: place
    for adapter in BROKERAGES.values()
    if issubclass(adapter, ThreadedBrokerage)
    for place in (Place(f"{adapter.venue}-paper", False, adapter), Place(f"{adapter.venue}-live", True, adapter))
}
