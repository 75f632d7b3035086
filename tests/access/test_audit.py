import pytest
from django.db import DatabaseError, connection, transaction

from access import audit
from access.models import AuditEntry
from access.principals import cli_principal

pytestmark = pytest.mark.django_db


def test_who_did_what_to_what_and_when():
    entry = audit.record(cli_principal(), "run.stop", "run:1", reason="lunch")
    entry.refresh_from_db()
    assert entry.actor.startswith("cli:")
    assert (entry.verb, entry.target, entry.detail) == ("run.stop", "run:1", {"reason": "lunch"})
    assert entry.at is not None


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entries SET actor = 'nobody'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"],
)
def test_nothing_can_be_changed_afterwards(statement):
    audit.record(cli_principal(), "run.stop", "run:1")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.count() == 1
