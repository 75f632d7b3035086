"""Tables of whole accounts: what they may come to, what was granted of it, and the breakers towards their venues."""

from __future__ import annotations

from django.db import models


class Account(models.Model):
    """An account that several runs trade in. Its row is the lock under which orders are granted.

    ``limits`` is a `risk.account_limits.AccountLimits` as JSON. While ``breaker_open``, nothing new is opened; a person
    alone resets it.
    """

    name = models.CharField(primary_key=True, max_length=60, help_text="As in runs.account: alpaca-paper, ibkr-live")
    limits = models.JSONField(default=dict, db_default={}, blank=True)
    breaker_open = models.BooleanField(default=False, db_default=False)
    breaker_reason = models.TextField(blank=True, default="", db_default="", help_text="Why it opened last")
    breaker_run = models.CharField(
        max_length=36, blank=True, default="", db_default="", help_text="The run that saw it"
    )
    opened_at = models.DateTimeField(null=True, blank=True)
    trips = models.IntegerField(default=0, db_default=0)
    reset_at = models.DateTimeField(null=True, blank=True)
    reset_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    reset_reason = models.TextField(blank=True, default="", db_default="")

    class Meta:
        db_table = "risk_accounts"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class OrderGrant(models.Model):
    """An order that may open something in its account. It counts for as long as the ledger has the order as open, so
    that there is nothing to give back."""

    order_id = models.CharField(primary_key=True, max_length=64)
    account = models.CharField(max_length=60)
    unit_value = models.DecimalField(
        max_digits=40, decimal_places=12, help_text="What a unit was taken to be worth, multiplier included"
    )
    granted_at = models.DateTimeField()

    class Meta:
        db_table = "order_grants"
        ordering = ["-granted_at"]
        indexes = [models.Index(fields=["account", "-granted_at"], name="order_grants_of_account")]

    def __str__(self) -> str:
        return self.order_id
