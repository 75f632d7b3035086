"""The table of the program's version that a stack runs."""

from __future__ import annotations

from django.db import models


class Release(models.Model):
    """One row while a stack is up: the version that its processes are to have."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    version = models.CharField(max_length=80)
    declared_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "releases"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_release")]

    def __str__(self) -> str:
        return self.version
