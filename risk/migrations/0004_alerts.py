"""Alerts and what became of them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("risk", "0003_accounts_and_breakers")]

    operations = []
