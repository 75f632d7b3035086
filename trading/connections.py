"""Database connections for threads that live outside Django's request cycle."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connections


def connect(autocommit: bool = False) -> psycopg.Connection[Any]:
    """A new psycopg connection with the settings of Django's default database; the caller closes it."""
    wrapper = connections["default"]
    parameters = {
        name: value
        for name, value in wrapper.get_connection_params().items()
        if name not in ("context", "cursor_factory", "prepare_threshold")
    }
    return psycopg.connect(**parameters, autocommit=autocommit, connect_timeout=3)
