"""The table of drills."""

from __future__ import annotations

from typing import Final

from django.db import models

#: The account that the sessions of a drill share, and that it halts.
ACCOUNT: Final = "drill"


class Drill(models.Model):
    """Sessions that were started to be halted, and how long that took.

    Milliseconds count from the call of the halt; None: not confirmed. ``detail`` says what went wrong.
    """

    by = models.CharField(max_length=150)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    sessions = models.PositiveIntegerField()
    orders = models.PositiveIntegerField(default=0, help_text="Open when the halt was called")
    gate_closed_ms = models.FloatField(null=True, blank=True)
    cancels_sent_ms = models.FloatField(null=True, blank=True)
    open_orders_zero_ms = models.FloatField(null=True, blank=True)
    sessions_ended_ms = models.FloatField(null=True, blank=True)
    confirmed = models.BooleanField(default=False)
    detail = models.TextField(blank=True, default="")

    class Meta:
        db_table = "drills"
        ordering = ["-id"]
        indexes = [models.Index(fields=["-started_at"])]

    def __str__(self) -> str:
        return f"drill of {self.started_at:%Y-%m-%d %H:%M} UTC, {'confirmed' if self.confirmed else 'not confirmed'}"
