"""Which venue passes which case of the contract: `python -m tests.brokers.contract_table`, into docs/brokers.md.

It runs the suite, so that nothing stands there that was not seen.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.brokers.contract import ROOMS, BrokerageContract
from tests.brokers.test_alpaca import TestAlpaca
from tests.brokers.test_ibkr import TestIbkr
from tests.brokers.test_made_up import TestMadeUpVenue
from tests.brokers.test_sim_contract import TestSimulated
from tests.brokers.test_tradier import TestTradier

VENUES: dict[str, type[BrokerageContract]] = {
    "simulated": TestSimulated,
    "Alpaca": TestAlpaca,
    "Interactive Brokers": TestIbkr,
    "Tradier": TestTradier,
    "made up": TestMadeUpVenue,
}
PAGE = Path("docs/brokers.md")
BEGIN, END = "<!-- contract: begin -->\n", "<!-- contract: end -->\n"


class Outcomes:
    """A pytest plugin that keeps the worst outcome of each case at each venue."""

    def __init__(self) -> None:
        self.of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            _, suite, case = report.nodeid.split("::")
            self.of[suite, case.partition("[")[0]].add(report.outcome)


def main() -> int:
    outcomes = Outcomes()
    suites = [f"{sys.modules[suite.__module__].__file__}::{suite.__name__}" for suite in VENUES.values()]
    code = pytest.main(["-q", "-n0", *suites], plugins=[outcomes])
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n".join(_table(outcomes)) + "\n" + END + after, encoding="utf-8")
    return int(code)


def _table(outcomes: Outcomes) -> list[str]:
    notes: dict[str, int] = {}
    lines = [f"| case | {' | '.join(VENUES)} |", "|---" * (len(VENUES) + 1) + "|"]
    for room in ROOMS:
        about = str(sys.modules[room.__module__].__doc__).strip()
        lines.append(f"| **{about}** {'| ' * len(VENUES)}|")
        for case in (name for name in vars(room) if name.startswith("test_")):
            cells = [_cell(suite, case, outcomes, notes) for suite in VENUES.values()]
            lines.append(f"| {sentence(case)} | {' | '.join(cells)} |")
    return [*lines, "", *(f"{number}. {note}" for note, number in notes.items())]


def _cell(suite: type[BrokerageContract], case: str, outcomes: Outcomes, notes: dict[str, int]) -> str:
    """Passed or failed as it was seen; where the case does not apply, the number of the note that says why."""
    reason = suite.not_applicable.get(case) or suite.not_yet.get(case)
    if reason is not None:
        return f"{'not yet' if case in suite.not_yet else 'n/a'} ({notes.setdefault(reason, len(notes) + 1)})"
    return "passed" if outcomes.of[suite.__name__, case] == {"passed"} else "FAILED"


def sentence(case: str) -> str:
    return case.removeprefix("test_").replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
