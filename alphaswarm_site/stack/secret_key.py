"""The signing key of an installation that was given none: made once, readable by its owner alone."""

import os
import secrets
from pathlib import Path


def load_or_make(path: Path) -> str:
    """Read the key in `path`; make it first if there is none. Two processes at once end with the same key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()
