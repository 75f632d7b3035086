"""What a stack needs once: somebody who may log in, and its static files in one place."""

import hashlib
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from access.actions import create_operator

USERNAME = "operator"


def create_first_operator() -> dict[str, str] | None:
    """The name and password of a new account, told this once; None where anybody can log in already."""
    if get_user_model().objects.exists():
        return None
    password = secrets.token_urlsafe(12)
    create_operator(USERNAME, password)
    return {"username": USERNAME, "password": password}


def collect_static_files() -> None:
    """Collect them where any has changed since the last time."""
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    digest = _digest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(digest)


def _digest() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
