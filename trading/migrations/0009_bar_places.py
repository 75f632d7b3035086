"""Each kept bar knows its place among the facts of its run."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar = [("trading", "0008_venue_checks")]

    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            model_name="runbars",
            name="after",
            field=models.BigIntegerField(
                null=True, help_text="The run's last event before the append that it came with"
            ),
        ),
        migrations.RemoveConstraint(model_name="runbars", name="run_bars_once"),
        migrations.AddConstraint(
            model_name="runbars",
            constraint=models.UniqueConstraint(fields=("run", "first", "count"), name="run_bars_once"),
        ),
        migrations.AlterModelOptions(name="runbars", options={"ordering": ["run", "first", "count"]}),
    ]
