"""Accounts that may trade real money."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("risk", "0005_drills")]

    operations = [
        migrations.CreateModel(
            name="LivePromotion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(help_text="As in runs.account: alpaca-live", max_length=60)),
                ("reason", models.TextField()),
                ("by", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("ended_by", models.CharField(blank=True, default="", max_length=150)),
                ("end_reason", models.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "live_promotions",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)), fields=("account",), name="live_promotion_stands_once"
                    )
                ],
            },
        ),
    ]
