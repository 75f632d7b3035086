"""The verbs of whole accounts: set limits, reset a breaker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django.db import transaction
from django.utils import timezone
from pydantic import ValidationError

from access import audit
from access.principals import Principal
from risk.account_limits import AccountLimits
from risk.account_models import Account
from risk.kill_switch import said

_SHARED: Final = re.compile(r"(?!sim-)[a-z0-9_]{1,40}-(paper|live)")


class NoSuchAccount(LookupError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is no account that runs share: write venue and kind, such as alpaca-paper. Each run on the"
            " simulated venue is an account of its own, and its limits stand in its recipe"
        )


class BadLimits(ValueError):
    """``problems`` name each field and what is wrong with it."""

    def __init__(self, error: ValidationError) -> None:
        known = f"it is not known; there are {', '.join(AccountLimits.model_fields)}"
        self.problems = [
            {
                "field": ".".join(map(str, one["loc"])),
                "message": known if one["type"] == "extra_forbidden" else one["msg"],
            }
            for one in error.errors()
        ]
        super().__init__("; ".join(f"{one['field']}: {one['message']}" for one in self.problems))


class Loosens(Exception):
    """The change lets more pass than before, which was not allowed; ``names`` are the limits."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"this loosens {', '.join(names)}")
        self.names = names


class LimitsSet(msgspec.Struct, frozen=True):
    account: str
    limits: AccountLimits
    loosened: list[str]
    changed: bool


class BreakerReset(msgspec.Struct, frozen=True):
    account: Account
    changed: bool


def read_limits(given: Mapping[str, Any]) -> AccountLimits:
    """The limits that a person wrote; raises `BadLimits`."""
    try:
        return AccountLimits.model_validate(given)
    except ValidationError as error:
        raise BadLimits(error) from error


def limits_of(name: str) -> AccountLimits:
    """The limits that hold for an account now; raises `NoSuchAccount` for a name that can be none."""
    row = Account.objects.filter(pk=checked_name(name)).first()
    return AccountLimits.model_validate(row.limits if row else {})


def checked_name(name: str) -> str:
    if not _SHARED.fullmatch(name):
        raise NoSuchAccount(name)
    return name


def set_limits(name: str, limits: AccountLimits, reason: str, principal: Principal, *, may_loosen: bool) -> LimitsSet:
    """Put ``limits`` in the place of the account's. They hold for the next order of every run.

    Raises `risk.kill_switch.ReasonMissing`, `NoSuchAccount`, and `Loosens` where one lets more pass and that was not
    allowed.
    """
    reason = said(reason)
    with transaction.atomic(durable=True):
        row, _ = Account.objects.select_for_update().get_or_create(pk=checked_name(name))
        before = AccountLimits.model_validate(row.limits)
        loosened = limits.loosens(before)
        if loosened and not may_loosen:
            raise Loosens(loosened)
        row.limits = limits.model_dump(mode="json", exclude_none=True)
        row.save(update_fields=["limits"])
        was = before.model_dump(mode="json", exclude_none=True)
        audit.record(principal, "account.limits", f"account:{name}", reason=reason, limits=row.limits, before=was)
    return LimitsSet(name, limits, loosened, limits != before)


def reset_breaker(name: str, reason: str, principal: Principal) -> BreakerReset:
    """Let orders that open something leave to an account's venue again. Resetting a closed breaker changes nothing.

    Raises `risk.kill_switch.ReasonMissing` and `NoSuchAccount`.
    """
    reason = said(reason)
    with transaction.atomic(durable=True):
        row = Account.objects.select_for_update().filter(pk=name).first()
        if row is None:
            raise NoSuchAccount(name)
        changed = row.breaker_open
        if changed:
            row.breaker_open, row.reset_at = False, timezone.now()
            row.reset_by, row.reset_reason = principal.name, reason
            row.save()
        audit.record(principal, "breaker.reset", f"account:{name}", reason=reason, changed=changed)
    return BreakerReset(row, changed)
