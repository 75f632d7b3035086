"""Drills of the kill switch and their figures."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("risk", "0004_alerts")]

    operations = [
        migrations.CreateModel(
            name="Drill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("by", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("sessions", models.PositiveIntegerField()),
                ("orders", models.PositiveIntegerField(default=0, help_text="Open when the halt was called")),
                ("gate_closed_ms", models.FloatField(blank=True, null=True)),
                ("cancels_sent_ms", models.FloatField(blank=True, null=True)),
                ("open_orders_zero_ms", models.FloatField(blank=True, null=True)),
                ("sessions_ended_ms", models.FloatField(blank=True, null=True)),
                ("confirmed", models.BooleanField(default=False)),
                ("detail", models.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "drills",
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["-started_at"], name="drills_started_3dc9e6_idx")],
            },
        ),
    ]
