"""The column of a price or a quantity."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage
from django.db import models


class Numeric(models.DecimalField):
    """PostgreSQL ``numeric`` without a fixed scale, so that a price keeps the digits that it came with."""

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        # Those of a decimal field ask for the number of digits, which is what is free here.
        return super(models.DecimalField, self).check(**kwargs)

    def db_type(self, connection: Any) -> str:
        return "numeric"

    def cast_db_type(self, connection: Any) -> str:
        return "numeric"
