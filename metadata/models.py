"""Versioned documents about URNs."""

from django.db import models
from django.db.models.functions import Now


class Aspect(models.Model):
    """One version of one document about a URN. Never updated, never deleted: triggers see to it; the latest wins."""

    urn = models.CharField(max_length=255)
    name = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=200)

    class Meta:
        db_table = "metadata_aspects"
        ordering = ["urn", "name", "-version"]
        constraints = [models.UniqueConstraint(fields=["urn", "name", "version"], name="aspect_version_once")]

    def __str__(self) -> str:
        return f"{self.urn} {self.name} v{self.version}"
