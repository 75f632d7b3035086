"""The table of accounts that may trade real money."""

from __future__ import annotations

from django.db import models


class LivePromotion(models.Model):
    """An account was promoted to live, from then until it was taken back. Of one account at most one stands."""

    account = models.CharField(max_length=60, help_text="As in runs.account: alpaca-live")
    reason = models.TextField()
    by = models.CharField(max_length=150)
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True, default="")
    end_reason = models.TextField(blank=True, default="")

    class Meta:
        db_table = "live_promotions"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=models.Q(ended_at=None), name="live_promotion_stands_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.account} is live"
