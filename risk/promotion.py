"""Promoting an account to real money, and taking that back.

Paper and live differ by one word of a recipe. So that word alone starts nothing: a person with the right says first,
with a reason and a second factor, that this account may trade real money.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from access import audit
from access.principals import Principal
from risk.promotion_models import LivePromotion

_LIVE: Final = re.compile(r"[a-z0-9]+-live")


class NotAnAccount(ValueError):
    """Only the live account of a venue can be promoted."""

    def __init__(self, account: str) -> None:
        super().__init__(
            f"{account or 'nothing'} is no live account: its name is the venue's and -live, as alpaca-live"
        )


class ReasonMissing(ValueError):
    """Both verbs need a reason that says something."""

    def __init__(self) -> None:
        super().__init__("say why: the reason is kept with the account and its history")


def is_promoted(account: str) -> bool:
    return LivePromotion.objects.filter(account=account, ended_at=None).exists()


def standing() -> list[dict[str, Any]]:
    """The accounts that may trade real money now: account, reason, by, at (ISO 8601)."""
    found = LivePromotion.objects.filter(ended_at=None).order_by("account")
    return [{"account": one.account, "reason": one.reason, "by": one.by, "at": one.at.isoformat()} for one in found]


@transaction.atomic
def promote(account: str, reason: str, principal: Principal) -> LivePromotion:
    """Let runs of this account trade real money; one that may already stays as it is.

    The caller has asked for the right and the second factor. Raises `NotAnAccount` or `ReasonMissing`.
    """
    account, reason = account.strip(), _said(reason)
    if not _LIVE.fullmatch(account):
        raise NotAnAccount(account)
    _hold(account)
    found = LivePromotion.objects.filter(account=account, ended_at=None).first()
    if found is None:
        found = LivePromotion.objects.create(account=account, reason=reason, by=principal.name, at=timezone.now())
        audit.record(principal, "account.promote", f"account:{account}", reason=reason)
    return found


@transaction.atomic
def demote(account: str, reason: str, principal: Principal) -> bool:
    """Let no further run of this account start; whether it was promoted. Runs under way go on: halt the account to stop
    them. Raises `ReasonMissing`."""
    account, reason = account.strip(), _said(reason)
    _hold(account)
    ended = LivePromotion.objects.filter(account=account, ended_at=None).update(
        ended_at=timezone.now(), ended_by=principal.name, end_reason=reason
    )
    if ended:
        audit.record(principal, "account.demote", f"account:{account}", reason=reason)
    return bool(ended)


def _hold(account: str) -> None:
    """Of two who decide at once, let one come after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('alphaswarm live'), hashtext(%s))", [account])


def _said(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise ReasonMissing
    return reason
