"""`alphaswarm token create|list|revoke`: the keys of scripts."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser

from access import actions
from access.models import ApiToken
from access.principals import cli_principal
from access.scopes import Scope
from alphaswarm_site.commands import BadInput, Document, ProductCommand


class Command(ProductCommand):
    help = "Make, list and revoke the API tokens of scripts."

    def add_arguments(self, parser: CommandParser) -> None:
        create = self.verb(parser, "create", self.create, "Make a token; it is printed once and not kept.")
        create.add_argument("--name", required=True, help="what the token is for")
        create.add_argument("--scope", required=True, choices=[scope.value for scope in Scope])
        create.add_argument("--expires-days", type=int, metavar="D", help="by default it does not expire")
        create.add_argument("--owner", metavar="USERNAME", help="bounds what it may do; by default the first operator")
        self.verb(parser, "list", self.list, "List the tokens, without their secrets.")
        revoke = self.verb(parser, "revoke", self.revoke, "Refuse a token from now on.")
        revoke.add_argument("token", metavar="ID|NAME")

    def create(self, name: str, scope: str, expires_days: int | None, owner: str | None, **options: Any) -> Document:
        try:
            _, secret = actions.create_token(
                name, scope, principal=cli_principal(), owner=_owner(owner), expires_days=expires_days
            )
        except ValueError as error:
            raise BadInput(str(error)) from error
        return {"token": secret}

    def list(self, **options: Any) -> Document:
        tokens = ApiToken.objects.select_related("owner")
        return {"items": [_row(token) for token in tokens], "next": None}

    def revoke(self, token: str, **options: Any) -> Document:
        named = ApiToken.objects.filter(revoked_at=None)
        found = list(named.filter(pk=token) if token.isdecimal() else named.filter(name=token))
        if len(found) != 1:
            raise BadInput(f"{len(found)} tokens in use are called {token!r}: take the id that `token list` shows")
        return _row(actions.revoke_token(found[0], principal=cli_principal()))

    def show(self, document: Document) -> None:
        if "items" not in document:
            super().show(document)
            return
        for row in document["items"]:
            state = "revoked" if row["revoked_at"] else f"last used {row['last_used_at'] or 'never'}"
            self.stdout.write(f"{row['id']:>4}  {row['name']}  {row['scope']}  {row['owner'] or '-'}  {state}")


def _owner(username: str | None) -> User | None:
    users = User.objects.filter(is_active=True)
    if username is None:
        return users.filter(is_superuser=True).order_by("pk").first()
    owner = users.filter(username=username).first()
    if owner is None:
        raise BadInput(f"--owner: no active user is called {username!r}")
    return owner


def _row(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.pk,
        "name": token.name,
        "scope": token.scope,
        "owner": token.owner.get_username() if token.owner else None,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
