"""The table of scoped halts: of an account, a bot, a run or a symbol."""

from __future__ import annotations

from django.db import models

from risk.halts import Scope


class RiskHalt(models.Model):
    """One halt, from when it was called until it was released. Of one scope and target at most one stands."""

    scope = models.CharField(max_length=8, choices=[(scope.value, scope.value) for scope in Scope])
    target = models.CharField(max_length=80, help_text="An account, a bot's name, a run's id or a symbol")
    reason = models.TextField()
    by = models.CharField(max_length=150)
    at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True, default="")
    release_reason = models.TextField(blank=True, default="")

    class Meta:
        db_table = "risk_halts"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "target"], condition=models.Q(released_at=None), name="risk_halt_stands_once"
            )
        ]

    def __str__(self) -> str:
        return f"halt of {self.scope} {self.target}"
