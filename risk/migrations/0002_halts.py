"""Halts of an account, a bot, a run or a symbol, and a kill that flattens."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("risk", "0001_initial")]

    operations = [
        migrations.AddField("killswitch", "flatten", models.BooleanField(default=False)),
        migrations.AddField("killswitch", "halts_epoch", models.BigIntegerField(default=0)),
        migrations.CreateModel(
            name="RiskHalt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "scope",
                    models.CharField(
                        choices=[("account", "account"), ("bot", "bot"), ("run", "run"), ("symbol", "symbol")],
                        max_length=8,
                    ),
                ),
                (
                    "target",
                    models.CharField(help_text="An account, a bot's name, a run's id or a symbol", max_length=80),
                ),
                ("reason", models.TextField()),
                ("by", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("released_by", models.CharField(blank=True, default="", max_length=150)),
                ("release_reason", models.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "risk_halts",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("released_at", None)),
                        fields=("scope", "target"),
                        name="risk_halt_stands_once",
                    )
                ],
            },
        ),
    ]
