from typing import Any

from django.db import migrations, models


def make_the_row(apps: Any, schema_editor: Any) -> None:
    apps.get_model("risk", "KillSwitch").objects.create(pk=1)


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="KillSwitch",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("engaged", models.BooleanField(default=False)),
                ("epoch", models.BigIntegerField(default=0)),
                ("reason", models.TextField(blank=True, default="", help_text="Why it was engaged last")),
                ("engaged_at", models.DateTimeField(blank=True, null=True)),
                ("engaged_by", models.CharField(blank=True, default="", max_length=150)),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("released_by", models.CharField(blank=True, default="", max_length=150)),
                ("release_reason", models.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "kill_switch",
                "verbose_name_plural": "kill switch",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="kill_switch_is_one_row")],
            },
        ),
        migrations.CreateModel(
            name="KillEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "action",
                    models.CharField(choices=[("engaged", "Engaged"), ("released", "Released")], max_length=8),
                ),
                ("epoch", models.BigIntegerField()),
                ("reason", models.TextField()),
                ("actor", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                (
                    "measured",
                    models.JSONField(blank=True, help_text="The figures of risk.actions.KillReport", null=True),
                ),
            ],
            options={
                "db_table": "kill_events",
                "ordering": ["-id"],
                "constraints": [models.UniqueConstraint(fields=("epoch", "action"), name="kill_event_once_per_epoch")],
            },
        ),
        migrations.RunPython(make_the_row, migrations.RunPython.noop),
    ]
