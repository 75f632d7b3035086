"""Tables of the trading app.

`LedgerEvent` is the truth: append-only facts, hash-chained per run. `Order`, `Fill`, `Position` and `EquityPoint` are
projections of it, written in the same transaction by `trading.ledger` and by nothing else. `Run` is who, what and
whether it is alive.
"""

from __future__ import annotations

import uuid

from django.db import models

from trading.difference_models import AccountEntry as AccountEntry
from trading.difference_models import AccountLook as AccountLook
from trading.difference_models import Difference as Difference
from trading.difference_models import OutsideOrder as OutsideOrder
from trading.numeric import Numeric as Numeric
from trading.release_models import Release as Release
from trading.venue_models import VenueCheck as VenueCheck


class Mode(models.TextChoices):
    BACKTEST = "backtest"
    PAPER = "paper"
    LIVE = "live"


class RunStatus(models.TextChoices):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    REDUCING = "reducing"
    DRAINING = "draining"
    COMPLETED = "completed"
    STOPPED = "stopped"
    KILLED = "killed"
    HALTED = "halted"
    FAILED = "failed"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"


class Bot(models.Model):
    """A saved recipe with a name."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=80, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "bots"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class BotVersion(models.Model):
    """One immutable recipe of a bot; a change makes a new row."""

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    recipe = models.JSONField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "bot_versions"
        ordering = ["bot", "-number"]
        constraints = [models.UniqueConstraint(fields=["bot", "number"], name="bot_version_number_once")]

    def __str__(self) -> str:
        return f"{self.bot} v{self.number}"


class Run(models.Model):
    """One execution of a strategy. Owned through a lease by at most one process at a time."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    bot = models.ForeignKey(Bot, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    bot_version = models.ForeignKey(BotVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    task_id = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=120)
    mode = models.CharField(max_length=10, choices=Mode.choices)
    status = models.CharField(max_length=12, choices=RunStatus.choices, default=RunStatus.QUEUED)
    reason = models.TextField(blank=True, default="")
    venue = models.CharField(max_length=20, default="sim")
    account = models.CharField(max_length=60, blank=True, default="", help_text="Whose money it trades with")
    synthetic = models.BooleanField(default=False, help_text="Prices are made up, not a market's")
    live_paced = models.BooleanField(default=True, help_text="Bars come by the clock, not as fast as they can be read")
    recipe = models.JSONField(help_text="The recipe as started, secrets redacted")
    starting_cash = Numeric()
    final_equity = Numeric(null=True, blank=True)
    total_pnl = Numeric(null=True, blank=True)
    cash = Numeric(null=True, blank=True)
    num_bars = models.BigIntegerField(default=0)
    num_fills = models.BigIntegerField(default=0)
    ledger_hash = models.CharField(max_length=64, blank=True, default="")
    metrics = models.JSONField(default=dict, blank=True, help_text="sharpe, total_return, max_drawdown, …")
    state = models.JSONField(default=dict, blank=True, help_text="Last flushed state of the session")
    model_urn = models.CharField(max_length=200, blank=True, default="")
    pipeline_urn = models.CharField(max_length=200, blank=True, default="")
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    resumes = models.PositiveIntegerField(default=0, help_text="How often a person let it trade again")
    resume_reason = models.TextField(blank=True, default="", help_text="Why a person last did")
    resent_at = models.DateTimeField(null=True, blank=True, help_text="When the supervisor last sent it to the queue")
    # The lease: who runs it, until when, under which fencing token.
    owner = models.CharField(max_length=120, blank=True, default="")
    version = models.CharField(max_length=80, blank=True, default="", help_text="Of the program of its last owner")
    fencing_token = models.BigIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "runs"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"]),
            models.Index(fields=["status", "-created_at"]),
            models.Index(fields=["bot", "-created_at"]),
            models.Index(fields=["account"], name="runs_of_account", condition=~models.Q(mode="backtest")),
        ]

    def __str__(self) -> str:
        return f"{self.name} {str(self.id)[:8]}"


class LedgerHead(models.Model):
    """The end of a run's chain. Made by a trigger with the run's row; moved by appends alone."""

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.PROTECT, related_name="head")
    seq = models.BigIntegerField(default=0)
    hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "ledger_heads"

    def __str__(self) -> str:
        return f"{self.run_id} #{self.seq}"


class LedgerEvent(models.Model):
    """One fact of one run. Never updated, never deleted: triggers see to it."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="events", db_index=False)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=32)
    event_time = models.DateTimeField(help_text="When it happened, in the run's own time")
    payload = models.JSONField()
    hash = models.BinaryField(max_length=32)
    recorded_at = models.DateTimeField(help_text="When it was written, wall clock")

    class Meta:
        db_table = "ledger_events"
        ordering = ["run", "seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="ledger_event_seq_once")]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.seq} {self.kind}"


class LedgerAnchor(models.Model):
    """A link of the global chain: where each run's chain stood, so that a cut tail shows."""

    id = models.BigIntegerField(primary_key=True, help_text="Counts from one without a gap")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="anchors", db_index=False)
    seq = models.BigIntegerField()
    head_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "ledger_anchors"
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "seq"])]

    def __str__(self) -> str:
        return f"anchor {self.id}: {self.run_id} #{self.seq}"


class Order(models.Model):
    id = models.CharField(primary_key=True, max_length=64)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="orders", db_index=False)
    seq = models.BigIntegerField(help_text="The ledger event that introduced it")
    client_order_id = models.CharField(max_length=64, unique=True)
    venue_order_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  (null: the venue named none)
    symbol = models.CharField(max_length=50)
    side = models.CharField(max_length=4)
    type = models.CharField(max_length=16)
    time_in_force = models.CharField(max_length=4)
    qty = Numeric()
    filled_qty = Numeric(default=0)
    limit_price = Numeric(null=True, blank=True)
    stop_price = Numeric(null=True, blank=True)
    trail_amount = Numeric(null=True, blank=True)
    trail_percent = Numeric(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    extended_hours = models.BooleanField(default=False)
    reduce_only = models.BooleanField(default=False)
    parent_id = models.CharField(max_length=64, blank=True, default="", help_text="The order whose fills it waits for")
    group_id = models.CharField(max_length=64, blank=True, default="", help_text="Orders that share one quantity")
    replaces = models.CharField(max_length=64, blank=True, default="", help_text="The order whose place it takes")
    external = models.BooleanField(default=False, help_text="Not sent by the run: manual, an exercise, a margin call")
    sizing = models.TextField(blank=True, default="", help_text="Why it has this quantity, where a rule chose it")
    avg_fill_price = Numeric(null=True, blank=True)
    status = models.CharField(max_length=16)
    signal = models.CharField(max_length=4, default="")
    reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "orders"
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["run", "-created_at", "-id"]),
            models.Index(fields=["-created_at", "-id"]),
            models.Index(fields=["symbol", "-created_at"]),
            models.Index(
                fields=["run"],
                name="orders_open",
                condition=models.Q(
                    status__in=["intended", "submitted", "accepted", "partially_filled", "pending_cancel", "unknown"]
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.qty} {self.symbol} {self.status}"


class Fill(models.Model):
    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="fills", db_index=False)
    seq = models.BigIntegerField(help_text="The ledger event that booked it")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    venue_execution_id = models.CharField(max_length=80)
    symbol = models.CharField(max_length=50)
    side = models.CharField(max_length=4)
    qty = Numeric()
    price = Numeric()
    fee = Numeric(default=0)
    filled_at = models.DateTimeField()

    class Meta:
        db_table = "fills"
        ordering = ["-filled_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["run", "venue_execution_id"], name="fill_execution_once")]
        indexes = [models.Index(fields=["run", "-filled_at", "-id"]), models.Index(fields=["-filled_at", "-id"])]

    def __str__(self) -> str:
        return f"{self.side} {self.qty} {self.symbol} @ {self.price}"


class Position(models.Model):
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="positions", db_index=False)
    symbol = models.CharField(max_length=50)
    qty = Numeric()
    cost = Numeric(help_text="Signed amount paid for what is held, fees excluded")
    avg_price = Numeric()
    realized_pnl = Numeric(default=0)
    last_price = Numeric(null=True, blank=True, help_text="Of its last fill, or the last close known since")
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "positions"
        ordering = ["symbol"]
        constraints = [models.UniqueConstraint(fields=["run", "symbol"], name="position_once")]
        indexes = [models.Index(fields=["run"], name="positions_held", condition=~models.Q(qty=0))]

    def __str__(self) -> str:
        return f"{self.qty} {self.symbol}"


class EquityPoint(models.Model):
    """Equity and cash of a run at the end of a bar."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="equity", db_index=False)
    time = models.DateTimeField()
    equity = Numeric()
    cash = Numeric()

    class Meta:
        db_table = "equity_points"
        ordering = ["run", "time"]
        constraints = [models.UniqueConstraint(fields=["run", "time"], name="equity_point_once")]

    def __str__(self) -> str:
        return f"{self.equity} at {self.time:%Y-%m-%d %H:%M:%S} UTC"


class EquityCurve(models.Model):
    """A backtest's equity at each bar, as floats; `trading.ledger.read_curve` reads the columns."""

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.PROTECT, related_name="equity_curve")
    times = models.BinaryField(help_text="int64, little endian: nanoseconds since the epoch")
    equity = models.BinaryField(help_text="float64, little endian: the account's currency")

    class Meta:
        db_table = "equity_curves"

    def __str__(self) -> str:
        return f"curve of {self.run_id}"


class RunBars(models.Model):
    """Bars that a session has seen, some at a time, so that it can be replayed; see `trading.ledger.bars`."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="bars", db_index=False)
    first = models.BigIntegerField(help_text="The number of its first bar in the run, from zero")
    count = models.IntegerField()
    after = models.BigIntegerField(null=True, help_text="The run's last event before the append that it came with")
    data = models.BinaryField(help_text="`trading.ledger.bars` reads it")

    class Meta:
        db_table = "run_bars"
        ordering = ["run", "first", "count"]
        constraints = [models.UniqueConstraint(fields=["run", "first", "count"], name="run_bars_once")]

    def __str__(self) -> str:
        return f"{self.count} bars of {self.run_id}"


class RiskEvent(models.Model):
    """A breach, a halt or a refusal worth a person's attention."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, null=True, on_delete=models.PROTECT, related_name="risk_events")
    seq = models.BigIntegerField(null=True, help_text="The ledger event that tells of it")
    code = models.CharField(max_length=60)
    message = models.TextField()
    figure = Numeric(null=True, blank=True)
    limit = Numeric(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "risk_events"
        ordering = ["-id"]
        indexes = [models.Index(fields=["code", "-id"], name="risk_events_of_code")]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
