"""How often, and why, a person let a run trade again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0005_sizing_and_accounts")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="resumes",
            field=models.PositiveIntegerField(default=0, help_text="How often a person let it trade again"),
        ),
        migrations.AddField(
            model_name="run",
            name="resume_reason",
            field=models.TextField(blank=True, default="", help_text="Why a person last did"),
        ),
    ]
