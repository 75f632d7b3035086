"""Databases beside the one in use, and PostgreSQL's own tools on them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from django.db import connections
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from alphaswarm_site.stack.postgres import BINARIES
from alphaswarm_site.stack.waiting import wait_until
from trading.connections import conninfo

_SWAP_SECONDS: Final = 10
_LEAVE: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
_USED: Final = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"


class ToolFailed(Exception):
    """One of PostgreSQL's programs, or the server itself, did not do what it was to."""


def current() -> str:
    """The name of the database in use."""
    return str(connections["default"].settings_dict["NAME"])


def run(program: str, *arguments: str, database: str | None = None) -> str:
    """Run pg_dump or pg_restore, on the database of this name if one is given; what it printed. Raises `ToolFailed`.

    A password travels in the environment, where other users of the machine cannot see it.
    """
    parameters: dict[str, Any] = dict(conninfo_to_dict(conninfo()))
    password = parameters.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    where = [] if database is None else ["--dbname", make_conninfo(**{**parameters, "dbname": database})]
    command = [str(BINARIES / program), *where, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolFailed(f"{program}: {' '.join(done.stderr.split())[-600:]}")
    return done.stdout


def connected(name: str) -> psycopg.Connection[Any]:
    """A connection to the database of this name, each statement a transaction of its own."""
    return psycopg.connect(make_conninfo(conninfo(), dbname=name), autocommit=True)


@contextmanager
def using(name: str) -> Iterator[None]:
    """Have Django, and all that asks it where the database is, work in the database of this name."""
    database = connections["default"]
    before = database.settings_dict["NAME"]
    database.close()
    database.settings_dict["NAME"] = name
    try:
        yield
    finally:
        database.close()
        database.settings_dict["NAME"] = before


@contextmanager
def beside() -> Iterator[str]:
    """A new empty database beside the one in use; dropped afterwards if it is still there under its name."""
    name = f"{current()}_restoring_{os.getpid()}"
    with connected(current()) as database:
        try:
            database.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise ToolFailed(f"no database can be made beside {current()}, its role needs CREATEDB: {error}") from error
    try:
        yield name
    finally:
        with connected(current()) as database:
            database.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def put_in_place(fresh: str) -> str:
    """Let ``fresh`` be the database in use; the name under which the one before is kept.

    Whoever is connected is thrown out and finds the new one when it comes back.
    """
    name = current()
    kept = f"{name}_before_{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}"
    connections["default"].close()
    with connected(fresh) as database:
        _rename(database, name, kept)
    try:
        with connected(kept) as database:
            _rename(database, fresh, name)
    except (psycopg.Error, ToolFailed):
        with connected(fresh) as database:
            _rename(database, kept, name)
        raise
    return kept


def _rename(database: psycopg.Connection[Any], old: str, new: str) -> None:
    before, after = sql.Identifier(old), sql.Identifier(new)
    database.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(before))
    try:

        def is_left() -> bool:
            database.execute(_LEAVE, [old])
            row = database.execute(_USED, [old]).fetchone()
            return row is not None and not row[0]

        if not wait_until(is_left, _SWAP_SECONDS):
            raise ToolFailed(f"somebody stays connected to {old}")
        database.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(before, after))
        before = after
    finally:
        database.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(before))
