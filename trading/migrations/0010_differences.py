"""Differences between the ledger and a venue wait for a person."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar = [("trading", "0009_bar_places")]

    operations: ClassVar[list[Operation]] = []
