"""Halts of an account, a bot, a run or a symbol."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("risk", "0001_initial")]

    operations = []
