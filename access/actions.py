"""The verbs: atomic, audited, called by the pages and the command line alike."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils import timezone

from access import audit, scopes, tokens
from access.models import ApiToken
from access.principals import Principal, cli_principal


@transaction.atomic
def create_operator(username: str, password: str, *, principal: Principal | None = None) -> User:
    """The account that a new installation begins with: it may do everything."""
    user = User.objects.create_superuser(username, password=password)
    audit.record(principal or cli_principal(), "user.create", f"user:{user.pk}", username=username)
    return user


@transaction.atomic
def change_password(user: User, password: str, *, principal: Principal) -> None:
    """Raises django.core.exceptions.ValidationError for a password that is too easy. Ends the user's other sessions."""
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    audit.record(principal, "user.change_password", f"user:{user.pk}")


@transaction.atomic
def create_token(
    name: str,
    scope: str,
    *,
    principal: Principal,
    owner: User | None = None,
    expires_days: int | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its secret, which cannot be had again.

    `owner` bounds what it may do, and is whose second factor counts. Raises ValueError for an unknown scope or a
    lifetime that is not positive.
    """
    scopes.granted(scope)
    if expires_days is not None and expires_days <= 0:
        raise ValueError("expires-days must be positive")
    expires = None if expires_days is None else timezone.now() + timedelta(days=expires_days)
    secret = tokens.new_secret()
    token = ApiToken.objects.create(
        name=name, scope=scope, sha256=tokens.digest(secret), owner=owner, expires_at=expires
    )
    audit.record(principal, "token.create", f"token:{token.pk}", name=name, scope=scope, expires_days=expires_days)
    return token, secret


@transaction.atomic
def revoke_token(token: ApiToken, *, principal: Principal) -> ApiToken:
    """The token is refused from the next call on; revoking it again changes nothing."""
    token = ApiToken.objects.select_for_update().get(pk=token.pk)
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        audit.record(principal, "token.revoke", f"token:{token.pk}", name=token.name)
    return token
