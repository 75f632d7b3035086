"""Orders that say why they have their quantity, and runs that say whose money they trade with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0004_order_terms")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="sizing",
            field=models.TextField(blank=True, default="", help_text="Why it has this quantity, where a rule chose it"),
        ),
        migrations.AddField(
            model_name="run",
            name="account",
            field=models.CharField(blank=True, default="", help_text="Whose money it trades with", max_length=60),
        ),
        migrations.RunSQL(
            "UPDATE runs SET account = CASE WHEN venue = 'sim' THEN 'sim-' || left(id::text, 8)"
            " ELSE venue || '-' || mode END WHERE mode <> 'backtest'",
            migrations.RunSQL.noop,
        ),
    ]
