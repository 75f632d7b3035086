"""Database connections for threads that live outside Django's request cycle."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connections
from psycopg.conninfo import make_conninfo


def conninfo() -> str:
    """Where Django's default database is, in libpq's words."""
    parameters = connections["default"].get_connection_params()
    ours = {
        name: parameters[name] for name in parameters if name not in ("context", "cursor_factory", "prepare_threshold")
    }
    return make_conninfo(**{**ours, "connect_timeout": 3})


def connect(autocommit: bool = False) -> psycopg.Connection[Any]:
    """A new psycopg connection with the settings of Django's default database; the caller closes it."""
    return psycopg.connect(conninfo(), autocommit=autocommit)
