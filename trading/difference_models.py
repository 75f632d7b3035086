"""Tables of shared accounts: what is nobody's run there, and where ledger and venue differ."""

from __future__ import annotations

from django.db import models

from trading.numeric import Numeric


class AccountLook(models.Model):
    """The last whole look at an account: by what ``number`` its venue knows it, since when that is so, and when."""

    account = models.CharField(primary_key=True, max_length=60)
    number = models.CharField(max_length=60)
    began_at = models.DateTimeField()
    looked_at = models.DateTimeField()

    class Meta:
        db_table = "account_looks"
        ordering = ["account"]

    def __str__(self) -> str:
        return f"{self.account} at {self.looked_at:%Y-%m-%d %H:%M:%S} UTC"


class AccountEntry(models.Model):
    """Units and money of an account that belong to no run of ours. Append-only: triggers see to it.

    The first entries of an account are what it held when a session first came there; after that an entry is a
    correction that a person has made, or tells that the venue shows another account than before, or, with no units
    at all, what one is worth.
    """

    account = models.CharField(max_length=60)
    symbol = models.CharField(max_length=50, blank=True, default="", help_text="Empty for money")
    ticker = models.CharField(max_length=50, blank=True, default="", help_text="Letters and digits of the symbol")
    qty = Numeric(default=0, help_text="Units, negative when short")
    cash = Numeric(default=0, help_text="Money, negative where it went")
    price = Numeric(null=True, blank=True, help_text="What a unit was worth then, where that was known")
    difference = models.ForeignKey("trading.Difference", null=True, on_delete=models.PROTECT, related_name="entries")
    by = models.CharField(max_length=150)
    reason = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "account_entries"
        ordering = ["id"]
        indexes = [models.Index(fields=["account"], name="entries_of_account")]

    def __str__(self) -> str:
        return f"{self.account}: {self.qty} {self.symbol}" if self.symbol else f"{self.account}: {self.cash}"


class OutsideOrder(models.Model):
    """An order of an account that no run of ours has sent: by hand, by another program, or by a person from the inbox.

    ``before_qty`` of it was filled before the account was first looked at, and is part of what it held then.
    """

    account = models.CharField(max_length=60)
    name = models.CharField(max_length=128, blank=True, default="", help_text="The client order id at the venue")
    venue_order_id = models.CharField(max_length=64)
    symbol = models.CharField(max_length=50)
    ticker = models.CharField(max_length=50)
    side = models.CharField(max_length=4)
    type = models.CharField(max_length=16)
    qty = Numeric()
    limit_price = Numeric(null=True, blank=True)
    filled_qty = Numeric(default=0)
    before_qty = Numeric(default=0)
    paid = Numeric(default=0, help_text="Units filled times their price and multiplier")
    before_paid = Numeric(default=0, help_text="Of that, what was paid for before_qty")
    fee = Numeric(default=0)
    status = models.CharField(max_length=16)
    by = models.CharField(max_length=150, blank=True, default="", help_text="Who sent it from here; empty for others")
    reason = models.TextField(blank=True, default="")
    first_seen = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "outside_orders"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["account", "venue_order_id"], name="outside_order_once")]

    def __str__(self) -> str:
        return f"{self.side} {self.qty} {self.symbol} {self.status}"


class Difference(models.Model):
    """The ledger says one thing of an account and its venue another, and nothing explains it.

    One row stands per account, kind and subject for as long as it is open or ignored; ``amount`` is what the venue has
    more than the ledger, in units or in money. An open one of a symbol holds back whatever would open something there.
    """

    class State(models.TextChoices):
        OPEN = "open"
        IGNORED = "ignored"
        ADOPTED = "adopted"
        FLATTENED = "flattened"
        EXPLAINED = "explained"

    account = models.CharField(max_length=60)
    run = models.ForeignKey("trading.Run", null=True, on_delete=models.PROTECT, related_name="differences")
    kind = models.CharField(max_length=10, help_text="position, cash or order")
    subject = models.CharField(max_length=80, blank=True, default="", help_text="A ticker, an order's name, or nothing")
    symbol = models.CharField(max_length=50, blank=True, default="")
    ticker = models.CharField(max_length=50, blank=True, default="")
    amount = Numeric(default=0)
    ledger = models.JSONField(help_text="What the ledger says")
    venue = models.JSONField(help_text="What the venue says")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    first_seen = models.DateTimeField(auto_now_add=True)
    last_seen = models.DateTimeField()
    solved_at = models.DateTimeField(null=True, blank=True)
    by = models.CharField(max_length=150, blank=True, default="")
    reason = models.TextField(blank=True, default="")

    class Meta:
        db_table = "differences"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "subject"],
                condition=models.Q(state__in=["open", "ignored"]),
                name="difference_stands_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} at {self.account}: {self.state}"
