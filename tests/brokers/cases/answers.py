"""Answers that are lost, refused, broken, or in words that nobody knows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from brokers.base import IBrokerage
from brokers.pacing import RateLimit
from brokers.sightings import VenueOrder
from tests.brokers.contract_venue import StubVenue, Venue, limit, order
from tests.risk.waiting import eventually
from trading.engine.errors import Fatal, Transient
from trading.engine.updates import UpdateKind

QUESTIONS: dict[str, Callable[[IBrokerage], Any]] = {
    "account": lambda adapter: adapter.query_account(),
    "positions": lambda adapter: adapter.query_positions(),
    "orders": lambda adapter: adapter.query_open_orders(),
}
_GONE = object()
BROKEN: tuple[Any, ...] = (_GONE, None, "x", float("nan"), -1, 1e308)


class AnswerCases:
    def test_an_answer_that_is_lost_leaves_the_order_unknown_until_the_venue_shows_it(self, venue: Venue):
        for fault in venue.ways_to_lose_an_answer:
            venue.lose_answer(fault)
            one = order(qty="1")
            with venue.unsure():
                venue.adapter.submit_order(one)

            assert venue.kinds(one, UpdateKind.FILL, "1").count(UpdateKind.FILL) == 1
        assert venue.placed() == len(venue.ways_to_lose_an_answer)

    def test_a_venue_that_asks_for_patience_has_taken_nothing_and_is_asked_once(self, venue: Venue):
        venue.lose_answer("refuse_throttle")
        with pytest.raises(Transient):
            venue.adapter.submit_order(order())

        assert not venue.placed()

    def test_the_rate_limit_is_kept_ahead_of_the_venues_refusal(self, venue: StubVenue):
        waited: list[float] = []
        now = [0.0]

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            now[0] += seconds

        venue.pace(RateLimit(1, 60.0, clock=lambda: now[0], sleep=sleep))
        for _ in range(2):
            venue.adapter.submit_order(limit("90"))

        assert waited and max(waited) <= 60
        assert venue.placed() == 2

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_a_broken_answer_is_an_error_or_is_not_believed(self, venue: StubVenue, question: str):
        part = limit("99")
        venue.adapter.submit_order(part)
        venue.trade("99", "4")
        venue.kinds(part, UpdateKind.FILL, "4")
        venue.adapter.close()
        outsider = venue.make()
        outsider.reach()
        venue.pace(RateLimit(100_000, 1.0), outsider)
        bodies: list[Any] = []
        venue.bend(question, lambda body: bodies.append(body) or body, times=1_000)
        QUESTIONS[question](outsider)
        venue.mend()
        tried = errors = 0
        try:
            for broken in _broken(bodies[0]):
                venue.bend(question, lambda _, broken=broken: broken)
                tried += 1
                try:
                    assert _is_sane(QUESTIONS[question](outsider))
                except Transient:
                    errors += 1
        finally:
            outsider.close()

        assert tried > errors > tried / 10

    def test_a_state_that_nobody_knows_leaves_the_order_unknown_until_it_has_a_known_one(self, venue: StubVenue):
        venue.garble("status")
        one = limit("90")
        venue.adapter.submit_order(one)
        assert venue.kinds(one, UpdateKind.UNKNOWN) == [UpdateKind.UNKNOWN]
        venue.mend()

        assert venue.kinds(one, UpdateKind.ACCEPTED) == [UpdateKind.UNKNOWN, UpdateKind.ACCEPTED]

    @pytest.mark.parametrize("word", ["type", "duration"])
    def test_an_order_with_terms_that_nobody_knows_is_followed(self, venue: StubVenue, word: str):
        venue.garble(word)
        one = venue.rest(limit("99"))
        venue.trade("99")

        assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]

    def test_an_order_that_cannot_be_read_hides_no_other_and_holds_new_ones_back(self, venue: StubVenue):
        one = venue.rest(limit("99"))
        strange = venue.rest(limit("91"))
        venue.garble("side", strange)
        venue.trade("99")

        assert venue.kinds(one, UpdateKind.FILL, "10") == [UpdateKind.ACCEPTED, UpdateKind.FILL]
        eventually(lambda: not venue.adapter.updates_healthy)

    def test_wrong_credentials_fail_at_once_and_say_what_to_set(self, venue: Venue):
        wrong = venue.make(**venue.wrong)
        with pytest.raises(Fatal, match="ALPHASWARM_"):
            wrong.connect()
        wrong.close()


def _broken(body: Any) -> Iterator[Any]:
    """The body with one of its fields gone, or of another type, or absurd."""
    for path in _paths(body):
        for value in BROKEN:
            changed = copy.deepcopy(body)
            at = changed
            for key in path[:-1]:
                at = at[key]
            if value is _GONE:
                del at[path[-1]]
            else:
                at[path[-1]] = value
            yield changed


def _paths(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    held = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in held:
        yield (*path, key)
        yield from _paths(value, (*path, key))


def _is_sane(answer: Any) -> bool:
    """Whether an answer that was believed could be true."""
    if isinstance(answer, list):
        return all(map(_is_sane, answer))
    if isinstance(answer, VenueOrder):
        figures = [answer.filled_qty, answer.avg_price]
        return answer.terms.qty > 0 and min(figures) >= 0 and max(figures) < 10**15 and bool(answer.terms.symbol)
    names = ("qty", "cash", "equity", "buying_power")
    figures = [getattr(answer, name) for name in names if hasattr(answer, name)]
    return all(figure.is_finite() and abs(figure) < 10**15 for figure in figures)
