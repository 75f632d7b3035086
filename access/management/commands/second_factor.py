"""`alphaswarm second_factor reset USERNAME`: for a lost device."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser

from access import second_factor
from access.principals import cli_principal
from alphaswarm_site.commands import BadInput, Document, ProductCommand


class Command(ProductCommand):
    help = "Forget a person's lost second factor."

    def add_arguments(self, parser: CommandParser) -> None:
        reset = self.verb(parser, "reset", self.reset, "Forget the device; a new one is enrolled at /ui/account/.")
        reset.add_argument("username")

    def reset(self, username: str, **options: Any) -> Document:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise BadInput(f"no user is called {username!r}")
        second_factor.reset(user, principal=cli_principal())
        return {"username": username, "second_factor": None}
