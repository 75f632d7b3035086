"""Writing and reading aspects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, QuerySet

from access import audit
from access.principals import Principal, cli_principal
from metadata.models import Aspect
from metadata.urn import Urn

LARGEST_PAYLOAD = 65_536
NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")


class InvalidAspect(ValueError):
    """An aspect that cannot be written; `field` is the one to mend."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@transaction.atomic
def write_aspect(urn: str, name: str, payload: Mapping[str, Any], *, actor: Principal | None = None) -> Aspect:
    """Add a version of the aspect `name` of `urn`; versions count from 1 without a hole. Audited.

    Without an `actor` it is whoever runs this process. Raises metadata.urn.InvalidUrn or InvalidAspect.
    """
    Urn.parse(urn)
    _check(name, payload)
    principal = actor or cli_principal()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"aspect {urn} {name}"])
    last = history(urn, name).aggregate(last=Max("version"))["last"] or 0
    aspect = Aspect.objects.create(
        urn=urn, name=name, version=last + 1, payload=dict(payload), created_by=str(principal)
    )
    audit.record(principal, "aspect.write", urn, name=name, version=aspect.version)
    return aspect


def latest(urn: str) -> list[Aspect]:
    """The newest version of each aspect of a URN, by name; empty for a URN that nothing is known about."""
    return list(Aspect.objects.filter(urn=urn).order_by("name", "-version").distinct("name"))


def history(urn: str, name: str) -> QuerySet[Aspect]:
    """Every version of one aspect, newest first."""
    return Aspect.objects.filter(urn=urn, name=name).order_by("-version")


def status_of(urn: str) -> str | None:
    """The `status` of the aspect that stated one last; None where none did."""
    stated = Aspect.objects.filter(urn=urn, payload__has_key="status").order_by("-id").first()
    return None if stated is None else str(stated.payload["status"])


def _check(name: str, payload: Mapping[str, Any]) -> None:
    if not NAME.fullmatch(name):
        raise InvalidAspect("name", "must be a letter, then up to 63 letters, digits, . _ -")
    if not isinstance(payload, Mapping):
        raise InvalidAspect("payload", "must be a JSON object")
    try:
        text = json.dumps(payload, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidAspect("payload", f"is not JSON: {error}") from error
    if len(text) > LARGEST_PAYLOAD:
        raise InvalidAspect("payload", f"has {len(text)} characters; {LARGEST_PAYLOAD} is the limit")
    if "\\u0000" in text:
        raise InvalidAspect("payload", "must not contain the character NUL")
