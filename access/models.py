"""Who may call, what was done, and which calls were answered already."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from access.scopes import Scope


class ApiToken(models.Model):
    """A script's key. The secret itself is shown once and never stored."""

    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=[(scope.value, scope.value) for scope in Scope])
    sha256 = models.CharField(max_length=64, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="api_tokens")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "api_tokens"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.scope})"


class AuditEntry(models.Model):
    """One verb that somebody used. Never updated, never deleted: triggers see to it."""

    actor = models.CharField(max_length=200)
    verb = models.CharField(max_length=100)
    target = models.CharField(max_length=300)
    address = models.CharField(max_length=45, blank=True, default="", help_text="Where the request came from, if any")
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "audit_entries"
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["target", "-id"]), models.Index(fields=["actor", "-id"])]

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.target}"


class IdempotentCall(models.Model):
    """A call that carried an `Idempotency-Key`, and its answer once there is one."""

    caller = models.CharField(max_length=200)
    key = models.CharField(max_length=128)
    request_sha256 = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        db_table = "idempotent_calls"
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


class LoginAttempt(models.Model):
    """A log-in that failed or has not been judged yet; counted for a few minutes."""

    username = models.CharField(max_length=150)
    address = models.CharField(max_length=45)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "login_attempts"
        indexes = [models.Index(fields=["address", "at"])]

    def __str__(self) -> str:
        return f"{self.username} from {self.address}"
