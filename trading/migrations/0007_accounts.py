"""What all runs of an account hold is found without reading the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0006_resume")]

    operations = [
        migrations.AddIndex(
            model_name="position",
            index=models.Index(condition=models.Q(("qty", 0), _negated=True), fields=["run"], name="positions_held"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("mode", "backtest"), _negated=True), fields=["account"], name="runs_of_account"
            ),
        ),
    ]
