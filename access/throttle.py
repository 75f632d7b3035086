"""Guessing passwords is slow: failures are counted per name and address, and per address alone.

Counting names alone would let a stranger lock the operator out.
"""

from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from access.models import LoginAttempt

WINDOW = timedelta(minutes=5)
PER_NAME = 5
PER_ADDRESS = 50


class TooMany(Exception):
    """Too many attempts; `retry_after` seconds until the oldest is forgotten."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many attempts: try again in {max(1, round(retry_after / 60))} min")
        self.retry_after = retry_after


@transaction.atomic
def attempt(username: str, address: str) -> None:
    """Count an attempt, before it is judged, so that many at once are not free. Raises TooMany."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"login:{address}"])
    now = timezone.now()
    LoginAttempt.objects.filter(at__lt=now - WINDOW).delete()
    here = LoginAttempt.objects.filter(address=address).order_by("at")
    for counted, allowed in ((here.filter(username=username), PER_NAME), (here, PER_ADDRESS)):
        if counted.count() >= allowed:
            oldest = counted.values_list("at", flat=True)[0]
            raise TooMany(int((oldest + WINDOW - now).total_seconds()) + 1)
    LoginAttempt.objects.create(username=username, address=address, at=now)


def forgive(username: str, address: str) -> None:
    """The password was right: what was counted against this name from here is forgotten."""
    LoginAttempt.objects.filter(username=username, address=address).delete()
