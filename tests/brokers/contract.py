"""What every venue's adapter must do, whatever its protocol: one suite of named cases, and a `Venue` for each venue.

A venue's tests inherit `BrokerageContract` and give a fixture ``venue`` whose adapter is connected. What a venue cannot
have is named in ``not_applicable`` with the reason; `tests.brokers.contract_table` writes both down.
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from tests.brokers.cases.answers import AnswerCases
from tests.brokers.cases.cancelling import CancellingCases
from tests.brokers.cases.events import EventCases
from tests.brokers.cases.life import LifeCases
from tests.brokers.cases.linking import LinkingCases
from tests.brokers.cases.questions import QuestionCases
from tests.brokers.cases.replacing import ReplacingCases
from tests.brokers.contract_venue import SYMBOL, StubVenue, Venue, limit, order, stop

__all__ = ["SYMBOL", "BrokerageContract", "StubVenue", "Venue", "limit", "order", "stop"]

#: The cases by what they are about, in the order of the table.
ROOMS = (LifeCases, ReplacingCases, LinkingCases, CancellingCases, AnswerCases, EventCases, QuestionCases)
CASES = tuple(name for room in ROOMS for name in vars(room) if name.startswith("test_"))


class BrokerageContract(*ROOMS):  # type: ignore[misc]
    """Inherit, and give a fixture ``venue`` whose adapter is connected and whose market stands at 100."""

    #: Why a case cannot be had from this venue, by the name of the case.
    not_applicable: ClassVar[dict[str, str]] = {}
    #: What is missing where a case does not pass yet.
    not_yet: ClassVar[dict[str, str]] = {}

    @pytest.fixture(autouse=True)
    def _what_applies(self, request: pytest.FixtureRequest) -> None:
        case = request.node.originalname
        if case in self.not_applicable:
            pytest.skip(self.not_applicable[case])
        if case in self.not_yet:
            request.applymarker(pytest.mark.xfail(reason=self.not_yet[case], strict=True))
