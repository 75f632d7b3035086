"""The shape of a recipe."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from risk.limits import RiskLimits
from risk.sizing import Sizing
from trading.engine.instruments import Instrument, instrument_of
from trading.engine.symbols import Symbol


def _readable(text: str) -> str:
    Symbol.parse(text)
    return text


def _distinct(texts: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[Symbol] = set()
    for text in texts:
        symbol = Symbol.parse(text)
        if symbol in seen:
            raise ValueError(f"names {text} twice")
        seen.add(symbol)
    return texts


Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
SymbolText = Annotated[str, Field(max_length=50), AfterValidator(_readable)]
Universe = Annotated[tuple[SymbolText, ...], Field(min_length=1, max_length=1000), AfterValidator(_distinct)]
UrnText = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(gt=0, lt=2**31)]
Step = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Minutes = Annotated[float, Field(gt=0, le=525_600)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Part(_Strict):
    """A class by its registered name and the keyword arguments to make it with, as the recipe wrote them."""

    cls: str = Field(alias="class")
    kwargs: dict[str, JsonValue] = Field(default_factory=dict)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Names alone: a value may be a secret, and this is what a traceback shows."""
        return [("class", self.cls), ("kwargs", list(self.kwargs))]


class SessionOptions(_Strict):
    """How a run is run. The URNs are what the metadata gate asks about."""

    model_urn: UrnText | None = None
    pipeline_urn: UrnText | None = None
    max_bars: Count | None = None
    duration_minutes: Minutes | None = None
    state_flush_every_bars: Count = 10
    stop_on_kill_switch: bool = True


class InstrumentRules(_Strict):
    """How a symbol trades where not as its text says: ``tick`` is its price step, ``lot`` the step of quantities."""

    tick: Step | None = None
    lot: Step | None = None


class Recipe(_Strict):
    """What a run is made of; made by `trading.recipes.parse` alone, which checks the parts too."""

    name: Name
    universe: Universe
    strategy: Part
    feed: Part
    brokerage: Part
    risk: RiskLimits = RiskLimits()
    sizing: Sizing | None = None
    session: SessionOptions = SessionOptions()
    instruments: dict[SymbolText, InstrumentRules] = Field(default_factory=dict)

    def special_instruments(self) -> dict[str, Instrument]:
        """The instruments whose rules the recipe sets itself."""
        return {symbol: instrument_of(symbol, rules.tick, rules.lot) for symbol, rules in self.instruments.items()}
