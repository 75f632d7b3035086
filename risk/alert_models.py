"""Tables of alerts: what a person should know, and who was told of it when."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Severity(models.TextChoices):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(models.Model):
    """Something that a person should know, with how often it was seen.

    What is seen again under the same ``dedupe_key`` is counted here for as long as the row is ``gathering``, also after
    a person has acknowledged it. ``run_id`` is no foreign key: this app knows nothing of runs.
    """

    kind = models.CharField(max_length=40)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    subject = models.CharField(max_length=200)
    message = models.TextField(blank=True, default="")
    run_id = models.UUIDField(null=True, blank=True)
    account = models.CharField(max_length=60, blank=True, default="")
    dedupe_key = models.CharField(max_length=200)
    gathering = models.BooleanField(default=True)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        db_table = "alerts"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dedupe_key"], condition=models.Q(gathering=True), name="alert_gathering_once"
            )
        ]
        indexes = [
            models.Index(fields=["dedupe_key"], name="alerts_of_a_key"),
            models.Index(fields=["id"], condition=models.Q(acknowledged_at=None), name="alerts_open"),
            models.Index(fields=["last_at"], name="alerts_last_at"),
        ]

    def __str__(self) -> str:
        return f"{self.severity}: {self.subject}"


class AlertDelivery(models.Model):
    """How far one channel has come with one alert.

    ``told``: the alert's count when it was last delivered. ``attempts`` of the delivery that is under way;
    ``due_at`` is when the next one may be made, None where nothing is to be delivered any more. ``error`` is that of
    ``failed_at`` and stays readable after a later success.
    """

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=20)
    told = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")

    class Meta:
        db_table = "alert_deliveries"
        ordering = ["id"]
        verbose_name_plural = "alert deliveries"
        constraints = [models.UniqueConstraint(fields=["alert", "channel"], name="alert_delivery_once")]
        indexes = [
            models.Index(fields=["channel", "-delivered_at"], name="deliveries_done"),
            models.Index(fields=["channel", "-failed_at"], name="deliveries_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.alert}"


class AlertPosition(models.Model):
    """How far a table has been followed: the largest id seen, and ids below it that were not there yet.

    ``gaps`` holds pairs of such an id and the Unix time at which it was first missed.
    """

    source = models.CharField(primary_key=True, max_length=60)
    ceiling = models.BigIntegerField()
    gaps = models.JSONField(default=list)

    class Meta:
        db_table = "alert_positions"

    def __str__(self) -> str:
        return f"{self.source} up to {self.ceiling}"


class HeartbeatState(models.Model):
    """The outbound heartbeat: one row. ``withheld`` says why none is sent now, empty while all is well."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    withheld = models.TextField(blank=True, default="")
    withheld_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "heartbeat_state"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="heartbeat_state_is_one_row")]

    def __str__(self) -> str:
        return f"heartbeat, last sent {self.sent_at}"
