"""The database's tables, brought up to date by whoever starts first."""

from collections.abc import Callable

from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from alphaswarm_site.stack.errors import StackError

LOCK = "SELECT pg_advisory_lock(hashtext('alphaswarm.migrate'))"
UNLOCK = "SELECT pg_advisory_unlock(hashtext('alphaswarm.migrate'))"


def bring_up_to_date(report: Callable[[str], None]) -> None:
    """Apply what is missing, one process at a time. Raises StackError where the database does not answer."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        reason = str(error).strip().replace("\n", " ")
        raise StackError(f"The database does not answer ({reason}): check DATABASE_URL") from error
    if not _missing():
        return
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        try:
            if _missing():
                report("Updating the database ...")
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute(UNLOCK)


def _missing() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
