import django.db.models.deletion
from django.db import migrations, models

# What a run has seen is never changed; that old bars may be deleted is what keeps the table from growing for ever.
NEVER_CHANGED = """
CREATE TRIGGER ledger_refuse_change BEFORE UPDATE ON run_bars
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_ledger_rules")]

    operations = [
        migrations.CreateModel(
            name="RunBars",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("first", models.BigIntegerField(help_text="The number of its first bar in the run, from zero")),
                ("count", models.IntegerField()),
                ("data", models.BinaryField(help_text="`trading.ledger.bars` reads it")),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bars",
                        to="trading.run",
                    ),
                ),
            ],
            options={
                "db_table": "run_bars",
                "ordering": ["run", "first"],
                "constraints": [models.UniqueConstraint(fields=("run", "first"), name="run_bars_once")],
            },
        ),
        migrations.RunSQL(NEVER_CHANGED, "DROP TRIGGER ledger_refuse_change ON run_bars;"),
    ]
