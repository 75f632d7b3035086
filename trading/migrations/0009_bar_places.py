"""Each kept bar knows its place among the facts of its run."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar = [("trading", "0008_venue_checks")]

    operations: ClassVar[list[Operation]] = []
