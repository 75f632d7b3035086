"""The database's tables, brought up to date by whoever starts first."""

from collections.abc import Callable

from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from alphaswarm_site.stack.errors import StackError

LOCK = "SELECT pg_advisory_lock(hashtext('alphaswarm.migrate'))"
UNLOCK = "SELECT pg_advisory_unlock(hashtext('alphaswarm.migrate'))"


_ACTIVE = """
    SELECT id, name, owner FROM runs
     WHERE lease_expires_at > now() AND status IN ('starting', 'running', 'reducing', 'draining') ORDER BY id
"""
_NAMED = 5


def bring_up_to_date(report: Callable[[str], None], *, strict: bool = False) -> None:
    """Apply what is missing, one process at a time. Raises StackError where the database does not answer.

    While runs are owned nothing is changed under them: that is reported, or with ``strict`` raised.
    """
    try:
        connection.ensure_connection()
    except OperationalError as error:
        reason = str(error).strip().replace("\n", " ")
        raise StackError(f"The database does not answer ({reason}): check DATABASE_URL") from error
    if not pending():
        return
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        try:
            if not pending():
                return
            held = refusal()
            if held and strict:
                raise StackError(held)
            if held:
                report(held)
                return
            report("Updating the database ...")
            call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute(UNLOCK)


def pending() -> int:
    """How many migrations are not applied."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def refusal() -> str:
    """Why no migration may run now, and what to do; empty where it may."""
    with connection.cursor() as cursor:
        if "runs" not in connection.introspection.table_names(cursor):
            return ""
        cursor.execute(_ACTIVE)
        active = [f"{name} {run_id} in {owner}" for run_id, name, owner in cursor.fetchall()]
    if not active:
        return ""
    named = ", ".join(active[:_NAMED]) + (f" and {len(active) - _NAMED} more" if len(active) > _NAMED else "")
    return (
        f"The database is not updated under {len(active)} active runs ({named}): `alphaswarm restart --migrate` lets"
        " sessions pause for it, or stop them first"
    )
