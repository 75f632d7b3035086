"""Limits of whole accounts, what they have granted, and breakers."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("risk", "0002_halts")]

    operations = []
