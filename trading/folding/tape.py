"""What a run has recorded, taken fact by fact while it is run again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from trading.endings import VENUE_LOST
from trading.engine.bars import to_datetime
from trading.engine.records import Kind, Record
from trading.ledger.events import canonical, decode, encode

#: Of how a run was operated, these alone matter to what it did.
_DRAINING: Final = "draining"
#: Verbs that come between two bars, once the first has been looked at.
_BETWEEN: Final = frozenset({Kind.RISK_RESUMED, Kind.FEED_SILENT, Kind.FEED_WARMED})
_VERBS: Final = _BETWEEN - {Kind.RISK_RESUMED} | {Kind.RUN_STATUS, Kind.KILL_ENGAGED, Kind.HALTED, Kind.FLATTENING}
_NOT_REPLAYED: Final = frozenset({Kind.EQUITY})


@dataclass(frozen=True)
class Fact:
    """One event of the ledger: ``seq`` is its place there, ``text`` the canonical form of ``payload``."""

    seq: int
    kind: str
    payload: dict[str, Any]
    text: bytes

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.payload.get("data") or {}
        return data

    @property
    def is_verb(self) -> bool:
        """Whether it is something that was done to the run rather than by it."""
        if self.kind == Kind.RISK_RESUMED:
            # A run that goes on by itself does so in its replay too.
            return "num_bars" in self.data
        return self.kind in _VERBS

    @property
    def is_withheld(self) -> bool:
        """Whether it is the order gate's refusal of an order, rather than that of the run's own rules."""
        return self.kind == Kind.ORDER_DENIED and bool(self.data.get("withheld"))

    @property
    def order_id(self) -> str:
        return str((self.payload.get("order") or {}).get("id", ""))

    @property
    def reason(self) -> str:
        return str(self.payload.get("reason", ""))

    def is_due(self, bars: int, inside: bool) -> bool:
        """Whether a verb had come when the run had seen so many bars, or was ``inside`` the last of them."""
        return int(self.data.get("num_bars", 0)) <= bars and not (inside and self.kind in _BETWEEN)


@dataclass(frozen=True)
class Difference:
    """The first fact that is not the same: the ``number``-th of the run's trading, ``seq`` in its ledger.

    ``recorded`` or ``replayed`` is None where that side has no further fact. ``fields`` names what differs, with both
    values.
    """

    number: int
    seq: int | None
    recorded: dict[str, Any] | None
    replayed: dict[str, Any] | None
    fields: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        if self.recorded is None:
            return f"fact {self.number}: the replay came to {_named(self.replayed)}, of which the ledger has nothing"
        if self.replayed is None:
            return f"fact {self.number}: the ledger has {_named(self.recorded)}, which the replay did not come to"
        names = ", ".join(one["field"] for one in self.fields)
        return f"fact {self.number}: the ledger has {_named(self.recorded)}, the replay another {names}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "seq": self.seq,
            "sentence": self.sentence,
            "recorded": self.recorded,
            "replayed": self.replayed,
            "fields": self.fields,
        }


def _named(fact: dict[str, Any] | None) -> str:
    fact = fact or {}
    order = f" of order {fact['order.id']}" if "order.id" in fact else ""
    return f"{fact.get('kind')}{order} at {fact.get('time')}"


class Differs(Exception):
    """The replay has gone another way."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.sentence)
        self.difference = difference


class Tape:
    """The recorded facts of a run, in their order; ``next`` is the one that has not been taken yet.

    ``unfinished`` says that the run may have done more than it could record.
    """

    def __init__(self, events: Iterable[tuple[int, str, str]], *, unfinished: bool) -> None:
        self._facts = _relevant(events)
        self._unfinished = unfinished
        self.next = next(self._facts, None)
        self.compared = 0

    @property
    def is_over(self) -> bool:
        """Whether what was recorded ends here, though the run went on."""
        return self.next is None and self._unfinished

    def forward(self) -> None:
        self.next = next(self._facts, None)

    def compare(self, record: Record) -> None:
        """Hold a fact of the replay against the one that was recorded. Raises `Differs`."""
        event, fact = encode(record), self.next
        if fact is None or fact.is_verb or fact.kind != event.kind or fact.text != event.text:
            self.differ(record)
        self.compared += 1
        self.forward()

    def differ(self, record: Record | None = None) -> None:
        """Raise `Differs`: the replay came to ``record``, or to nothing."""
        replayed = None
        if record is not None:
            event = encode(record)
            replayed = _flat(event.kind, event.payload)
        raise Differs(_difference(self.compared + 1, self.next, replayed))

    def end(self) -> None:
        """The replay is over: nothing may be left. Raises `Differs`."""
        if self.next is not None:
            self.differ()


def _relevant(events: Iterable[tuple[int, str, str]]) -> Iterator[Fact]:
    for seq, kind, text in events:
        if kind in _NOT_REPLAYED:
            continue
        payload = decode(text)
        fact = Fact(seq, kind, payload, canonical(payload))
        # The supervisor's own cancels, after the run was over without knowing it.
        if (kind != Kind.RUN_STATUS or fact.data.get("status") == _DRAINING) and fact.reason != VENUE_LOST:
            yield fact


def _difference(number: int, fact: Fact | None, replayed: dict[str, Any] | None) -> Difference:
    recorded = None if fact is None else _flat(fact.kind, fact.payload)
    fields = []
    if recorded is not None and replayed is not None:
        names = [*recorded, *(name for name in replayed if name not in recorded)]
        fields = [
            {"field": name, "recorded": recorded.get(name), "replayed": replayed.get(name)}
            for name in names
            if recorded.get(name) != replayed.get(name)
        ]
    return Difference(number, None if fact is None else fact.seq, recorded, replayed, fields)


def _flat(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A fact for a person to read: one level, names with dots, its time as ISO 8601."""
    flat: dict[str, Any] = {"kind": kind, "time": to_datetime(payload["time"]).isoformat().replace("+00:00", "Z")}
    for name, value in payload.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": found for inner, found in value.items()}
        elif name != "time":
            flat[name] = value
    return flat
