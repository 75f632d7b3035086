"""Alerts and what became of them."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("risk", "0003_accounts_and_breakers")]

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=40)),
                (
                    "severity",
                    models.CharField(
                        choices=[("info", "Info"), ("warning", "Warning"), ("critical", "Critical")], max_length=8
                    ),
                ),
                ("subject", models.CharField(max_length=200)),
                ("message", models.TextField(blank=True, default="")),
                ("run_id", models.UUIDField(blank=True, null=True)),
                ("account", models.CharField(blank=True, default="", max_length=60)),
                ("dedupe_key", models.CharField(max_length=200)),
                ("gathering", models.BooleanField(default=True)),
                ("count", models.PositiveIntegerField(default=1)),
                ("first_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("last_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                ("acknowledged_by", models.CharField(blank=True, default="", max_length=150)),
            ],
            options={
                "db_table": "alerts",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(fields=["dedupe_key"], name="alerts_of_a_key"),
                    models.Index(condition=models.Q(("acknowledged_at", None)), fields=["id"], name="alerts_open"),
                    models.Index(fields=["last_at"], name="alerts_last_at"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("gathering", True)), fields=("dedupe_key",), name="alert_gathering_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(max_length=20)),
                ("told", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
                ("error", models.TextField(blank=True, default="")),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="risk.alert"
                    ),
                ),
            ],
            options={
                "db_table": "alert_deliveries",
                "ordering": ["id"],
                "verbose_name_plural": "alert deliveries",
                "indexes": [
                    models.Index(fields=["channel", "-delivered_at"], name="deliveries_done"),
                    models.Index(fields=["channel", "-failed_at"], name="deliveries_failed"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("alert", "channel"), name="alert_delivery_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertPosition",
            fields=[
                ("source", models.CharField(max_length=60, primary_key=True, serialize=False)),
                ("ceiling", models.BigIntegerField()),
                ("gaps", models.JSONField(default=list)),
            ],
            options={"db_table": "alert_positions"},
        ),
        migrations.CreateModel(
            name="HeartbeatState",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False),
                ),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
                ("error", models.TextField(blank=True, default="")),
                ("withheld", models.TextField(blank=True, default="")),
                ("withheld_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "heartbeat_state",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="heartbeat_state_is_one_row")
                ],
            },
        ),
    ]
