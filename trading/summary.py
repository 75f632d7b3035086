"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from trading.engine.bars import price_of
from trading.engine.engine import Engine
from trading.engine.exact import exact
from trading.engine.records import plain
from trading.models import Run


@dataclass(frozen=True)
class RunSummary:
    """The figures of an ended run; money in the account's currency, ``seconds`` of wall time.

    ``prices`` are the last closes, at which what is still held is valued.
    """

    run_id: UUID
    status: str
    bars: int
    fills: int
    cash: Decimal
    final_equity: Decimal
    total_pnl: Decimal
    ledger_hash: str
    seconds: float
    metrics: dict[str, Any]
    reason: str = ""
    prices: dict[str, Decimal] = field(default_factory=dict)

    @classmethod
    @exact
    def of(
        cls,
        run_id: UUID,
        status: str,
        engine: Engine,
        *,
        ledger_hash: str,
        seconds: float,
        metrics: dict[str, Any] | None = None,
        reason: str = "",
    ) -> RunSummary:
        equity = engine.portfolio.equity
        return cls(
            run_id=run_id,
            status=status,
            bars=engine.bars,
            fills=engine.fills,
            cash=engine.portfolio.cash,
            final_equity=equity,
            total_pnl=equity - engine.portfolio.starting_cash,
            ledger_hash=ledger_hash,
            seconds=seconds,
            metrics=metrics or {},
            reason=reason,
            prices={held.symbol: price_of(held.last) for held in engine.portfolio.positions.values() if held.qty},
        )

    @classmethod
    def of_failure(cls, run: Run) -> RunSummary:
        """The summary of a run that ended before it began."""
        cash, none = run.starting_cash, Decimal(0)
        return cls(run.id, run.status, 0, 0, cash, cash, none, "", 0.0, {}, reason=run.reason)

    def columns(self) -> dict[str, Any]:
        """The columns of the run's row that its final status record sets."""
        return {
            "ended_at": datetime.now(UTC).isoformat(),
            "cash": plain(self.cash),
            "final_equity": plain(self.final_equity),
            "total_pnl": plain(self.total_pnl),
            "num_bars": self.bars,
            "num_fills": self.fills,
            "ledger_hash": self.ledger_hash,
            "metrics": self.metrics,
            "prices": {symbol: plain(price) for symbol, price in self.prices.items()},
        }

    @property
    def _missing_minutes(self) -> int | None:
        """Over all symbols; None for a run that has read no bars."""
        feed = self.metrics.get("feed")
        return None if feed is None else sum(feed["missing_minutes"].values())

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; money as text so that no digit is lost."""
        return {
            "run_id": str(self.run_id),
            "status": self.status,
            "reason": self.reason,
            "bars": self.bars,
            "missing_minutes": self._missing_minutes,
            "fills": self.fills,
            "cash": plain(self.cash),
            "final_equity": plain(self.final_equity),
            "total_pnl": plain(self.total_pnl),
            "sharpe": self.metrics.get("sharpe"),
            "total_return": self.metrics.get("total_return"),
            "max_drawdown": self.metrics.get("max_drawdown"),
            "ledger_hash": self.ledger_hash,
            "seconds": round(self.seconds, 3),
        }
