"""What the fragments of accounts and breakers need, so that a page includes them without knowing of them."""

from __future__ import annotations

from django import template

from trading.account_room import queries

register = template.Library()
register.simple_tag(queries.accounts, name="account_rows")
register.simple_tag(queries.breakers, name="breaker_rows")
