"""Making a backup: one file, of one moment, while everything goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from access import audit
from access.principals import Principal
from alphaswarm_site.backups import databases
from trading.connections import connect
from trading.engine.errors import InvalidValue
from trading.ledger.export_files import digest

_MOMENT: Final = """
    SELECT pg_export_snapshot(), (SELECT count(*) FROM runs), (SELECT coalesce(sum(seq), 0)::bigint FROM ledger_heads),
           (SELECT encode(hash, 'hex') FROM ledger_anchors ORDER BY id DESC LIMIT 1)
"""


def backup(file: Path, *, principal: Principal) -> dict[str, Any]:
    """Write all of the database into ``file``, which only its owner may read; what is in it.

    The file appears whole or not at all. Raises `InvalidValue` where it is there already, and `ToolFailed`.
    """
    if file.exists():
        raise InvalidValue(f"{file} is there already: name another file")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        held = _dump(draft)
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        document = {"file": str(file), "bytes": draft.stat().st_size, "sha256": digest(draft), **held}
        draft.rename(file)
    except OSError as error:
        raise InvalidValue(f"{file} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    audit.record(principal, "backup.make", f"database:{databases.current()}", **document)
    return document


def _dump(draft: Path) -> dict[str, Any]:
    with connect() as database:
        # The dump reads what this transaction sees, so that the figures are those of the file.
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        database.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        row = database.execute(_MOMENT).fetchone()
        assert row is not None
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={row[0]}", f"--file={draft}"]
        databases.run("pg_dump", *options, database=databases.current())
    return dict(zip(("runs", "events", "last_anchor"), row[1:], strict=True))
