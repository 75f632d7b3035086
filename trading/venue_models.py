"""The table of what venues said last of the accounts there."""

from __future__ import annotations

from django.db import models


class VenueCheck(models.Model):
    """The last test of the connection to an account: a picture of one moment, and no part of the ledger."""

    account = models.CharField(primary_key=True, max_length=60, help_text="As in runs.account: alpaca-paper, ibkr-live")
    at = models.DateTimeField()
    seconds = models.FloatField(help_text="How long it took")
    by = models.CharField(max_length=150)
    findings = models.JSONField(help_text="`trading.venues.probing.Findings` beside what the ledger had then")

    class Meta:
        db_table = "venue_checks"
        ordering = ["account"]

    def __str__(self) -> str:
        return f"{self.account} at {self.at:%Y-%m-%d %H:%M:%S} UTC"
