"""Emptying the test database, though its ledger cannot be emptied: as the superuser, with the triggers off."""

from collections.abc import Sequence

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import sql

from alphaswarm_site.stack.postgres import SUPERUSER


class Restorer:
    """Replaces Django's flush: deletes the rows of all tables, then puts back those that migrations had seeded.

    A test fills few of the tables with few rows: to delete these costs a tenth of what it costs to truncate all.
    """

    def __init__(self) -> None:
        self._tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        self._seed = self._read_seed()
        asked = (
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(table), sql.Identifier(table))
            for table in self._tables
        )
        self._which_have_rows = sql.SQL(" UNION ALL ").join(asked)

    def flush(self, sql_list: Sequence[str]) -> None:
        with superuser_connection() as superuser:
            superuser.execute("SET session_replication_role = replica")
            superuser.execute("SET lock_timeout = '20s'")
            filled = [table for (table,) in superuser.execute(self._which_have_rows)]
            for table in filled:
                superuser.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            for table, rows in self._seed.items():
                with superuser.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                    copy.write(rows)

    def _read_seed(self) -> dict[str, bytes]:
        seed = {}
        with superuser_connection() as superuser:
            for table in self._tables:
                with superuser.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
                    rows = b"".join(bytes(block) for block in copy)
                if rows:
                    seed[table] = rows
        return seed


def superuser_connection() -> psycopg.Connection:
    """A connection to the test database whose role may switch triggers off; DATABASE_URL, if set, must name one."""
    name = str(connection.settings_dict["NAME"])
    if settings.SERVERS.bundled_database(settings.STACK):
        return psycopg.connect(settings.STACK.database_url(SUPERUSER, name))
    return psycopg.connect(settings.SERVERS.database, dbname=name)
