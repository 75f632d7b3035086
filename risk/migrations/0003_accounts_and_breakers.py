"""Limits of whole accounts, what they have granted, and breakers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("risk", "0002_halts")]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "name",
                    models.CharField(
                        help_text="As in runs.account: alpaca-paper, ibkr-live",
                        max_length=60,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("limits", models.JSONField(blank=True, db_default={}, default=dict)),
                ("breaker_open", models.BooleanField(db_default=False, default=False)),
                (
                    "breaker_reason",
                    models.TextField(blank=True, db_default="", default="", help_text="Why it opened last"),
                ),
                (
                    "breaker_run",
                    models.CharField(
                        blank=True, db_default="", default="", help_text="The run that saw it", max_length=36
                    ),
                ),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("trips", models.IntegerField(db_default=0, default=0)),
                ("reset_at", models.DateTimeField(blank=True, null=True)),
                ("reset_by", models.CharField(blank=True, db_default="", default="", max_length=150)),
                ("reset_reason", models.TextField(blank=True, db_default="", default="")),
            ],
            options={"db_table": "risk_accounts", "ordering": ["name"]},
        ),
        migrations.CreateModel(
            name="OrderGrant",
            fields=[
                ("order_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("account", models.CharField(max_length=60)),
                (
                    "unit_value",
                    models.DecimalField(
                        decimal_places=12,
                        help_text="What a unit was taken to be worth, multiplier included",
                        max_digits=40,
                    ),
                ),
                ("granted_at", models.DateTimeField()),
            ],
            options={
                "db_table": "order_grants",
                "ordering": ["-granted_at"],
                "indexes": [models.Index(fields=["account", "-granted_at"], name="order_grants_of_account")],
            },
        ),
    ]
