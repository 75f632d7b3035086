"""Differences between the ledger and a venue wait for a person."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import BigAutoField, CharField, DateTimeField, ForeignKey, JSONField, Q, TextField

from trading.numeric import Numeric

STATES = ["open", "ignored", "adopted", "flattened", "explained"]
GUARD = (
    "CREATE TRIGGER ledger_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON account_entries"
    " FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();"
)


def a_key() -> BigAutoField:
    return BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("trading", "0009_bar_places")]

    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="AccountLook",
            fields=[
                ("account", CharField(max_length=60, primary_key=True, serialize=False)),
                ("number", CharField(max_length=60)),
                ("began_at", DateTimeField()),
                ("looked_at", DateTimeField()),
            ],
            options={"db_table": "account_looks", "ordering": ["account"]},
        ),
        migrations.CreateModel(
            name="Difference",
            fields=[
                ("id", a_key()),
                ("account", CharField(max_length=60)),
                ("kind", CharField(help_text="position, cash or order", max_length=10)),
                (
                    "subject",
                    CharField(blank=True, default="", help_text="A ticker, an order's name, or nothing", max_length=80),
                ),
                ("symbol", CharField(blank=True, default="", max_length=50)),
                ("ticker", CharField(blank=True, default="", max_length=50)),
                ("amount", Numeric(default=0)),
                ("ledger", JSONField(help_text="What the ledger says")),
                ("venue", JSONField(help_text="What the venue says")),
                (
                    "state",
                    CharField(choices=[(one, one.capitalize()) for one in STATES], default="open", max_length=10),
                ),
                ("first_seen", DateTimeField(auto_now_add=True)),
                ("last_seen", DateTimeField()),
                ("solved_at", DateTimeField(blank=True, null=True)),
                ("by", CharField(blank=True, default="", max_length=150)),
                ("reason", TextField(blank=True, default="")),
                (
                    "run",
                    ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="differences",
                        to="trading.run",
                    ),
                ),
            ],
            options={
                "db_table": "differences",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(("state__in", ["open", "ignored"])),
                        fields=("account", "kind", "subject"),
                        name="difference_stands_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AccountEntry",
            fields=[
                ("id", a_key()),
                ("account", CharField(max_length=60)),
                ("symbol", CharField(blank=True, default="", help_text="Empty for money", max_length=50)),
                (
                    "ticker",
                    CharField(blank=True, default="", help_text="Letters and digits of the symbol", max_length=50),
                ),
                ("qty", Numeric(default=0, help_text="Units, negative when short")),
                ("cash", Numeric(default=0, help_text="Money, negative where it went")),
                (
                    "price",
                    Numeric(blank=True, help_text="What a unit was worth then, where that was known", null=True),
                ),
                ("by", CharField(max_length=150)),
                ("reason", TextField()),
                ("at", DateTimeField(auto_now_add=True)),
                (
                    "difference",
                    ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="trading.difference",
                    ),
                ),
            ],
            options={
                "db_table": "account_entries",
                "ordering": ["id"],
                "indexes": [models.Index(fields=["account"], name="entries_of_account")],
            },
        ),
        migrations.CreateModel(
            name="OutsideOrder",
            fields=[
                ("id", a_key()),
                ("account", CharField(max_length=60)),
                (
                    "name",
                    CharField(blank=True, default="", help_text="The client order id at the venue", max_length=128),
                ),
                ("venue_order_id", CharField(max_length=64)),
                ("symbol", CharField(max_length=50)),
                ("ticker", CharField(max_length=50)),
                ("side", CharField(max_length=4)),
                ("type", CharField(max_length=16)),
                ("qty", Numeric()),
                ("limit_price", Numeric(blank=True, null=True)),
                ("filled_qty", Numeric(default=0)),
                ("before_qty", Numeric(default=0)),
                ("paid", Numeric(default=0, help_text="Units filled times their price and multiplier")),
                ("before_paid", Numeric(default=0, help_text="Of that, what was paid for before_qty")),
                ("fee", Numeric(default=0)),
                ("status", CharField(max_length=16)),
                (
                    "by",
                    CharField(
                        blank=True, default="", help_text="Who sent it from here; empty for others", max_length=150
                    ),
                ),
                ("reason", TextField(blank=True, default="")),
                ("first_seen", DateTimeField(auto_now_add=True)),
                ("updated_at", DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "outside_orders",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "venue_order_id"), name="outside_order_once")
                ],
            },
        ),
        migrations.RunSQL(GUARD, "DROP TRIGGER ledger_refuse_change ON account_entries"),
    ]
