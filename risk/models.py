"""Tables of the risk app: the one kill switch of the stack, and its history."""

from __future__ import annotations

from django.db import models

from risk.account_models import Account as Account
from risk.account_models import OrderGrant as OrderGrant
from risk.alert_models import Alert as Alert
from risk.alert_models import AlertDelivery as AlertDelivery
from risk.alert_models import AlertPosition as AlertPosition
from risk.alert_models import HeartbeatState as HeartbeatState
from risk.drill_models import Drill as Drill
from risk.halt_models import RiskHalt as RiskHalt
from risk.promotion_models import LivePromotion as LivePromotion


class KillSwitch(models.Model):
    """The switch itself: one row, made by a migration and never removed.

    ``epoch`` counts the engagements and only grows. The row outlives every process, so an engaged switch is still
    engaged after a restart. ``flatten``: what is held was to be sold too. ``halts_epoch`` grows with each change to
    the scoped halts, so that one look at this row tells whether there is news.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    engaged = models.BooleanField(default=False)
    flatten = models.BooleanField(default=False)
    epoch = models.BigIntegerField(default=0)
    halts_epoch = models.BigIntegerField(default=0)
    reason = models.TextField(blank=True, default="", help_text="Why it was engaged last")
    engaged_at = models.DateTimeField(null=True, blank=True)
    engaged_by = models.CharField(max_length=150, blank=True, default="")
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True, default="")
    release_reason = models.TextField(blank=True, default="")

    class Meta:
        db_table = "kill_switch"
        verbose_name_plural = "kill switch"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="kill_switch_is_one_row")]

    def __str__(self) -> str:
        return f"kill switch {'engaged' if self.engaged else 'released'}, epoch {self.epoch}"


class KillEvent(models.Model):
    """One engagement or release: who, why, when, and for an engagement how long the stop took."""

    class Action(models.TextChoices):
        ENGAGED = "engaged"
        RELEASED = "released"

    action = models.CharField(max_length=8, choices=Action.choices)
    epoch = models.BigIntegerField()
    reason = models.TextField()
    actor = models.CharField(max_length=150)
    at = models.DateTimeField()
    measured = models.JSONField(null=True, blank=True, help_text="The figures of risk.actions.KillReport")

    class Meta:
        db_table = "kill_events"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["epoch", "action"], name="kill_event_once_per_epoch")]

    def __str__(self) -> str:
        return f"{self.action} {self.epoch} by {self.actor}"
