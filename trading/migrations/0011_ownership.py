"""Who owned a run, and with which version of the program."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar = [("trading", "0010_differences")]

    operations: ClassVar[list[Operation]] = []
