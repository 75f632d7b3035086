"""A page of risk events is asked for by its code, and names the codes that there are."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar = [("trading", "0012_lean_orders")]

    operations: ClassVar[list[Operation]] = [
        migrations.AddIndex(
            model_name="riskevent",
            index=models.Index(fields=["code", "-id"], name="risk_events_of_code"),
        ),
    ]
