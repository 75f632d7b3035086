"""An account that others trade in too: other runs, other programs, and people by hand."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from brokers.base import VenuePosition
from trading.engine.errors import InvalidValue
from trading.engine.orders import OrderRequest, Side
from trading.engine.portfolio import Position
from trading.engine.symbols import Symbol
from trading.engine.updates import ExternalOrder, OrderUpdate, UpdateKind, VenueUpdate

log = logging.getLogger(__name__)


class SharedAccount:
    """Keeps what others do out of a run's books, and says at the end whether the rest adds up.

    The venue should hold what it held at the beginning, what the run has filled since, and what was seen of the others'
    fills. Tickers are compared, for a venue does not know how a recipe spells them.
    """

    def __init__(self) -> None:
        self._expected: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._others: dict[str, OrderRequest] = {}

    def begin(self, positions: Iterable[VenuePosition]) -> None:
        """What is held before the run's first order."""
        for one in positions:
            self._expected[ticker_of(one.symbol)] += one.qty

    def takes(self, update: VenueUpdate) -> bool:
        """Whether an update is about an order of others, which is then counted here."""
        if isinstance(update, ExternalOrder):
            terms = self._others[update.client_order_id] = update.terms
            log.info("not of this run: %s %s %s, %s", terms.side, terms.qty, terms.symbol, update.reason)
            return True
        terms = self._others.get(update.client_order_id) if isinstance(update, OrderUpdate) else None
        if terms is None:
            return False
        if update.kind is UpdateKind.FILL:
            self._expected[ticker_of(terms.symbol)] += update.qty if terms.side is Side.BUY else -update.qty
        return True

    def differences(self, positions: Iterable[VenuePosition], ours: Iterable[Position]) -> list[str]:
        """Sentences about the run's symbols of which the venue holds something else than it should."""
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        for one in positions:
            held[ticker_of(one.symbol)] += one.qty
        found = []
        for position in ours:
            ticker = ticker_of(position.symbol)
            expected = self._expected[ticker] + position.qty
            if held[ticker] != expected:
                found.append(f"{position.symbol}: the venue holds {held[ticker]}, and {expected} should be there")
        return found


def ticker_of(text: str) -> str:
    """Without the venue, and without the slash that some write in a pair of currencies."""
    try:
        ticker = Symbol.parse(text).ticker
    except InvalidValue:
        ticker = text
    return ticker.replace("/", "")
