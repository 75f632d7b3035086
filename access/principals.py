"""Who is calling: a person in a browser, a script with a token, or somebody at the machine's own command line."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass, field, replace
from typing import Literal

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest

from access import scopes, tokens
from access.models import ApiToken

Kind = Literal["session", "token", "cli"]


@dataclass(frozen=True)
class Principal:
    """`id` stays the same while names may be given anew; `user` is the person, or the owner of the token.

    `address` is where the request came from, empty for who did not send one.
    """

    name: str
    kind: Kind
    scopes: frozenset[str]
    user: User | None = None
    id: str = ""
    address: str = field(default="", compare=False)

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def known(self) -> bool:
        """Whether anybody stands behind it at all."""
        return bool(self.id)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


ANONYMOUS = Principal("anonymous", "session", frozenset())
UNKNOWN_TOKEN = Principal("unknown", "token", frozenset())


def cli_principal() -> Principal:
    """Whoever may run commands on this machine may do everything."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a uid without an account
        name = str(os.getuid())
    return Principal(name, "cli", scopes.ALL, id=f"cli:{name}")


def principal_of(request: HttpRequest) -> Principal:
    """Who sent this request; somebody without any scope when nobody can be made out."""
    found: Principal | None = getattr(request, "principal", None)
    if found is None:
        header = request.headers.get("Authorization", "")
        known = of_header(header) if is_bearer(header) else of_user(request.user)
        found = replace(known, address=request.META.get("REMOTE_ADDR") or "")
        request.principal = found  # type: ignore[attr-defined]
    return found


def is_bearer(header: str) -> bool:
    """Whether an `Authorization` header is for us; another scheme is a proxy's business."""
    return header[:7].lower() == "bearer "


def of_header(header: str) -> Principal:
    """The caller named by an `Authorization: Bearer …` header."""
    token = tokens.find(header[7:].strip())
    return of_token(token) if token else UNKNOWN_TOKEN


def of_token(token: ApiToken) -> Principal:
    """A token never does more than its owner may at the time of the call."""
    allowed = scopes.granted(token.scope)
    if token.owner is not None:
        allowed &= scopes_of_user(token.owner)
    return Principal(token.name, "token", allowed, token.owner, f"token:{token.pk}")


def of_user(user: AbstractBaseUser | AnonymousUser) -> Principal:
    if not isinstance(user, User) or not user.is_active:
        return ANONYMOUS
    return Principal(user.get_username(), "session", scopes_of_user(user), user, f"user:{user.pk}")


def scopes_of_user(user: User) -> frozenset[str]:
    """The union of what the user's groups grant; everything for a superuser, nothing for an inactive one."""
    if not user.is_active:
        return frozenset()
    if user.is_superuser:
        return scopes.ALL
    roles = user.groups.filter(name__in=scopes.ROLES).values_list("name", flat=True)
    return frozenset[str]().union(*(scopes.granted(scopes.ROLES[role]) for role in roles))
