"""Who owned a run, and with which version of the program."""

import django.db.models
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0010_differences")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="version",
            field=models.CharField(blank=True, default="", help_text="Of the program of its last owner", max_length=80),
        ),
        migrations.CreateModel(
            name="Release",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("version", models.CharField(max_length=80)),
                ("declared_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "releases",
                "constraints": [models.CheckConstraint(condition=django.db.models.Q(("id", 1)), name="one_release")],
            },
        ),
    ]
