"""The seam between the engine and the risk rules, which live outside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from trading.engine.bars import Bar
from trading.engine.effects import Effect
from trading.engine.orders import OrderRecord, OrderRequest
from trading.engine.records import Fill
from trading.engine.strategy import Context


class Denial(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order may not leave: a stable ``code``, a sentence, the figure that broke the rule and its limit."""

    code: str
    message: str
    figure: Decimal | None = None
    limit: Decimal | None = None


class Headroom(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit is used. ``unit`` is ``qty`` (units of ``symbol``), ``money``, ``fraction``, ``count`` or
    ``seconds``; a limit of single symbols names the one that is closest to it, None where there is none."""

    code: str
    used: Decimal
    limit: Decimal
    unit: str
    symbol: str | None = None


def figures(denial: Denial) -> dict[str, str | None]:
    """Figure and limit as the ledger keeps them."""
    figure, limit = denial.figure, denial.limit
    return {"figure": None if figure is None else str(figure), "limit": None if limit is None else str(limit)}


#: None when the order may leave.
PreTradeCheck = Callable[[OrderRecord, Context], Denial | None]


class Sized(msgspec.Struct, frozen=True):
    """A request with the quantity that it is to have, and why: a sentence kept with the order."""

    request: OrderRequest
    why: str = ""


class Sizer(ABC):
    """Gives requests their quantities. What it has learned lies in ``state``, as a strategy's does; ``learns`` says
    whether it is to be shown the bars."""

    state: msgspec.Struct
    learns: bool

    @abstractmethod
    def size(self, request: OrderRequest, context: Context) -> Sized | Denial:
        """The request with its quantity; a `Denial` where there is none to be had."""

    @abstractmethod
    def learn(self, bar: Bar) -> None:
        """Take a closed bar, before the strategy decides on it."""


class Watched(Context, Protocol):
    """A run as it is looked at after each bar: what a strategy sees, and the verbs for what must not go on.

    See `trading.engine.state.RunState` and `trading.engine.verbs.Verbs`.
    """

    @property
    def refusing(self) -> str: ...

    @property
    def reducing(self) -> Denial | None: ...

    def halt(self, code: str, message: str, figure: Decimal | None = None, limit: Decimal | None = None) -> None: ...

    def reduce(
        self, code: str, message: str, figure: Decimal | None = None, limit: Decimal | None = None
    ) -> Sequence[Effect]: ...

    def flatten(self, reason: str) -> Sequence[Effect]: ...

    def go_on(self) -> Sequence[Effect]: ...

    def recover(self, reason: str) -> None: ...


#: Looks at the run after a bar, its equity given as a float; the driver carries out what comes back, then asks
#: `trading.engine.verbs.Verbs.go_on` until that is nothing.
Watch = Callable[[Watched, float], Sequence[Effect]]


class RiskAgent:
    """What stands between a strategy's signal and the order router. This one lets everything pass; `risk.agent` has the
    one that does not.

    ``sizer`` and ``watch`` are None where there is nothing to size and nothing to watch, so that they cost nothing.
    """

    sizer: Sizer | None = None
    watch: Watch | None = None
    #: Whether `on_submitted`, `on_fill` and `on_ended` are to be called.
    observes: bool = False
    #: Seconds of an open market after which a live feed that tells nothing is to be told of by `on_silence`.
    silence: Decimal | None = None

    def check_pretrade(self, order: OrderRecord, context: Context) -> Denial | None:
        """None when the order may leave. Called with the order not yet among the context's open orders."""
        return None

    def on_silence(self, run: Watched, seconds: Decimal) -> Sequence[Effect]:
        """A live feed has told nothing for so many seconds in which the market was open."""
        return ()

    def on_submitted(self, order: OrderRecord, time: int) -> None:
        """An order is about to leave, at event time ``time`` (ns)."""

    def on_fill(self, order: OrderRecord, fill: Fill, time: int) -> None:
        """A fill was booked, at event time ``time`` (ns); order and portfolio are as it left them."""

    def on_ended(self, order: OrderRecord, time: int) -> None:
        """An order ended without being filled whole, or never left: its status says how."""

    def resume(self, run: Context) -> None:
        """A person lets the run trade again: what held it back is forgotten, and counted anew."""

    def report(self, run: Watched) -> dict[str, Any]:
        """How the run stands by its risk rules, JSON-ready, for its state: ``mode`` is ``normal``, or ``reducing`` or
        ``throttled`` with ``why``."""
        if run.reducing is not None:
            return {"mode": "reducing", "why": run.reducing.message}
        return {"mode": "normal", "why": ""}

    def saved(self) -> dict[str, Any]:
        """What it remembers of the run, JSON-ready."""
        return {}

    def restore(self, saved: dict[str, Any]) -> None:
        """Remember what an agent of the same settings has `saved`; raises `trading.engine.errors.InvalidValue` for
        anything else."""
