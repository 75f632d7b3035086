"""Tables of the sweeps. A trial is one row from plan to result; its figures are no ledger's and claim no more."""

from __future__ import annotations

import uuid

from django.db import models


class SweepStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


ACTIVE = [SweepStatus.QUEUED, SweepStatus.RUNNING]


class Sweep(models.Model):
    """One recipe and the parameters to try on it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task_id = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=12, choices=SweepStatus.choices, default=SweepStatus.QUEUED)
    reason = models.TextField(blank=True, default="")
    bot = models.ForeignKey("trading.Bot", null=True, blank=True, on_delete=models.PROTECT, related_name="sweeps")
    bot_version = models.ForeignKey("trading.BotVersion", null=True, blank=True, on_delete=models.PROTECT)
    recipe = models.JSONField(help_text="The recipe as started, secrets redacted")
    spec = models.JSONField(help_text="Parameters, search, objective and walk-forward splits")
    trial_count = models.PositiveIntegerField()
    skipped = models.JSONField(default=dict, blank=True, help_text="Combinations left out, by reason")
    grid = models.JSONField(null=True, blank=True, help_text="The moments at which the trials' digests were taken")
    findings = models.JSONField(null=True, blank=True, help_text="What the finished trials say together")
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When the workers were last told of it")

    class Meta:
        db_table = "sweeps"
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["-created_at", "-id"])]

    def __str__(self) -> str:
        return f"{self.name} {str(self.id)[:8]}"


class SweepTrial(models.Model):
    """One set of parameters. Owned through a claim by at most one worker at a time until ``done_at`` is set."""

    id = models.BigAutoField(primary_key=True)
    sweep = models.ForeignKey(Sweep, on_delete=models.CASCADE, related_name="trials", db_index=False)
    number = models.PositiveIntegerField(help_text="Counts from one, in the order of the plan")
    params = models.JSONField()
    done_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    score = models.FloatField(null=True, blank=True, help_text="By the sweep's objective; more is better")
    sharpe = models.FloatField(null=True, blank=True)
    total_return = models.FloatField(null=True, blank=True)
    max_drawdown = models.FloatField(null=True, blank=True)
    period_sharpe = models.FloatField(null=True, blank=True, help_text="Of one day, or of one bar where days are few")
    figures = models.JSONField(default=dict, blank=True)
    ledger_hash = models.CharField(max_length=64, blank=True, default="")
    digest = models.BinaryField(
        null=True, blank=True, help_text="float32, little endian: returns from moment to moment"
    )
    # The claim: who runs it, until when, and how often it was begun.
    claim = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "sweep_trials"
        ordering = ["sweep", "number"]
        constraints = [models.UniqueConstraint(fields=["sweep", "number"], name="sweep_trial_once")]
        indexes = [
            models.Index(fields=["sweep", "-score"]),
            models.Index(
                fields=["sweep", "number"], name="sweep_trials_open", condition=models.Q(done_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"trial {self.number} of {self.sweep_id}"
