"""What a venue said last of an account is kept until it is asked again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0007_accounts")]

    operations = [
        migrations.CreateModel(
            name="VenueCheck",
            fields=[
                (
                    "account",
                    models.CharField(
                        help_text="As in runs.account: alpaca-paper, ibkr-live",
                        max_length=60,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("at", models.DateTimeField()),
                ("seconds", models.FloatField(help_text="How long it took")),
                ("by", models.CharField(max_length=150)),
                (
                    "findings",
                    models.JSONField(help_text="`trading.venues.probing.Findings` beside what the ledger had then"),
                ),
            ],
            options={"db_table": "venue_checks", "ordering": ["account"]},
        ),
    ]
