"""Drills of the kill switch and their figures."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("risk", "0004_alerts")]

    operations = []
