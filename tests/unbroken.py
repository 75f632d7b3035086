"""After each test that commits what it does, the ledger that it wrote verifies, but where changing it was the point."""

from collections.abc import Generator
from datetime import UTC, datetime

import pytest
from django.db import connection

from trading import ledger

#: Runs that have events, whenever they were written; rows that a test made by hand have none.
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class LedgerBroken(AssertionError):
    """A test has left a ledger behind that does not verify."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    result = yield
    mark = item.get_closest_marker("django_db")
    if mark and mark.kwargs.get("transaction") and not item.get_closest_marker("tampers") and _has_events():
        # A run's own row is often made by hand, in the state that a test is about.
        found = [each for each in ledger.verify(since=_EVER).differences if each.table != "runs"]
        if found:
            raise LedgerBroken("\n".join(str(each) for each in found[:20]))
    return result


def _has_events() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM ledger_events)")
        return bool(cursor.fetchone()[0])
