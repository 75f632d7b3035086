"""What Interactive Brokers' books hold: positions, the account's figures, the time."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from brokers.base import VenueAccount, VenueClock, VenuePosition
from brokers.ibkr import mapping
from brokers.ibkr.wire import IbThread
from trading.engine.bars import to_nanos
from trading.engine.errors import Transient


async def positions(wire: IbThread, spelled: Mapping[str, str]) -> list[VenuePosition]:
    """``spelled`` are symbols as the run writes them."""
    rows = await wire.ask(wire.ib.reqPositionsAsync)
    held = [row for row in rows if row.position]
    return [
        VenuePosition(mapping.symbol(row.contract, spelled), mapping.figure(row.position), _cost(row.avgCost))
        for row in held
    ]


def _cost(figure: float) -> Decimal | None:
    """What a unit has cost with its multiplier, where that is told."""
    return mapping.figure(abs(figure)) if 0 < abs(figure) < mapping.UNSET else None


async def account(wire: IbThread) -> VenueAccount:
    # The subscription is refreshed by the venue every few minutes only.
    wire.ib.wrapper.acctSummary.clear()
    rows = await wire.ask(wire.ib.accountSummaryAsync)
    figures = {row.tag: row.value for row in rows}
    try:
        return VenueAccount(
            rows[0].account,
            cash=Decimal(figures["TotalCashValue"]),
            equity=Decimal(figures["NetLiquidation"]),
            buying_power=Decimal(figures["BuyingPower"]),
            entitlements={"type": figures["AccountType"]} if figures.get("AccountType") else {},
        )
    except (ArithmeticError, LookupError) as error:
        raise Transient(f"ibkr does not tell the account's figures: {error!r}") from error


async def clock(wire: IbThread) -> VenueClock:
    return VenueClock(to_nanos(await wire.ask(wire.ib.reqCurrentTimeAsync)))
