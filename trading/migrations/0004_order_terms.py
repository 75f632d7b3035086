"""Orders with every term that they can have."""

from django.db import migrations, models

import trading.models

NAMES = {
    "parent_id": "The order whose fills it waits for",
    "group_id": "Orders that share one quantity",
    "replaces": "The order whose place it takes",
}


def add(name, field):
    return migrations.AddField(model_name="order", name=name, field=field)


class Migration(migrations.Migration):
    dependencies = [("trading", "0003_run_bars")]

    operations = [
        add("trail_amount", trading.models.Numeric(null=True, blank=True)),
        add("trail_percent", trading.models.Numeric(null=True, blank=True)),
        add("expires_at", models.DateTimeField(null=True, blank=True)),
        add("extended_hours", models.BooleanField(default=False)),
        add("reduce_only", models.BooleanField(default=False)),
        *(
            add(name, models.CharField(max_length=64, blank=True, default="", help_text=text))
            for name, text in NAMES.items()
        ),
        add(
            "external",
            models.BooleanField(default=False, help_text="Not sent by the run: manual, an exercise, a margin call"),
        ),
    ]
