from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0002_append_only_audit_and_roles")]

    operations = [
        migrations.AddField(
            "auditentry",
            "address",
            models.CharField(blank=True, default="", help_text="Where the request came from, if any", max_length=45),
        ),
    ]
