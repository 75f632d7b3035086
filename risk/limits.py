"""The limits of a run, as its recipe writes them under ``risk:``."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Amount = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Fraction = Annotated[Decimal, Field(gt=0, lt=1, allow_inf_nan=False)]
Share = Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)]
BasisPoints = Annotated[Decimal, Field(gt=0, lt=10_000, allow_inf_nan=False)]
#: What is remembered for so long is bounded by it.
Window = Annotated[Decimal, Field(gt=0, le=3600, allow_inf_nan=False)]


class DayTrading(StrEnum):
    """The regime of a margin account: none, the maintenance margin held at every moment of the day (SR-FINRA-2025-017),
    or the pattern day trader rule that it replaces (FINRA rule 4210(f)(8)(B))."""

    OFF = "off"
    INTRADAY_MARGIN = "intraday_margin"
    LEGACY_PDT = "legacy_pdt"


class RiskLimits(BaseModel):
    """No limit is set but those that are named; buying power always holds.

    Checked before an order leaves (`risk.rules`), never against one that only reduces a position. Quantities are units,
    values money in the account's currency, ``max_concentration`` a fraction of the equity, ``price_collar_bps`` basis
    points of the last price:
    ``max_order_qty``, ``max_order_value``, ``max_position_qty``, ``max_position_value``, ``max_open_orders``,
    ``price_collar_bps``, ``max_gross_exposure``, ``max_net_exposure``, ``max_concentration``,
    ``max_orders_per_second``, ``max_orders_per_minute``, ``duplicate_window_seconds``, ``max_repeats``,
    ``allow_short``, ``pdt``; and, of a live feed, ``max_bar_age_seconds`` and ``trade_when_closed``.

    Watched while the run trades (`risk.watching`): ``max_daily_loss``, ``max_drawdown`` (a fraction, 0.1 is ten
    percent), ``max_symbol_loss``, ``max_trades_per_day``, ``max_consecutive_losses``, ``max_minutes_in_position``,
    ``max_feed_silence_seconds``, ``max_reject_rate`` (a fraction).

    ``on_breach`` says what a breach of those does: ``halt`` ends the run; ``safe_mode`` lets it only reduce, with
    ``exit_positions`` also by itself, until all is normal again (``resume: automatic``) or a person resumes it
    (``resume: manual``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_position_value: Amount | None = None
    max_position_qty: Amount | None = None
    max_order_value: Amount | None = None
    max_order_qty: Amount | None = None
    max_open_orders: Count | None = None
    price_collar_bps: BasisPoints | None = None
    max_gross_exposure: Amount | None = None
    max_net_exposure: Amount | None = None
    max_concentration: Share | None = None
    max_orders_per_second: Count | None = None
    max_orders_per_minute: Count | None = None
    duplicate_window_seconds: Window | None = None
    max_repeats: Count | None = None
    allow_short: bool = True
    pdt: DayTrading = DayTrading.OFF
    max_bar_age_seconds: Amount | None = None
    trade_when_closed: bool = False

    max_daily_loss: Amount | None = None
    max_drawdown: Fraction | None = None
    max_symbol_loss: Amount | None = None
    max_trades_per_day: Count | None = None
    max_consecutive_losses: Count | None = None
    max_minutes_in_position: Amount | None = None
    max_feed_silence_seconds: Amount | None = None
    max_reject_rate: Fraction | None = None
    on_breach: Literal["halt", "safe_mode"] = "halt"
    resume: Literal["automatic", "manual"] = "automatic"
    exit_positions: bool = False

    @model_validator(mode="after")
    def _agree(self) -> RiskLimits:
        if self.on_breach == "halt":
            if self.resume == "manual":
                raise ValueError("resume: manual belongs to on_breach: safe_mode; a run that halts has ended")
            if self.exit_positions:
                raise ValueError("exit_positions belongs to on_breach: safe_mode; a run that halts sends nothing more")
        gross, net = self.max_gross_exposure, self.max_net_exposure
        if gross is not None and net is not None and net > gross:
            raise ValueError("max_net_exposure is over max_gross_exposure and can never be reached; lower it")
        return self
