"""The forms of the bots' pages: saving a recipe, and starting a session of a version."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from access.principals import Principal
from trading import recipes
from trading.admission import GateRefused, StartHeld
from trading.bots import actions
from trading.engine.errors import InvalidValue, TradingError
from trading.models import Bot, Run
from trading.recipes import RecipeError
from trading.recipes.errors import Problem

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass
class BotForm:
    """A name and a recipe as they were typed, and what stands against them."""

    name: str = ""
    text: str = ""
    problems: list[Problem] = field(default_factory=list)

    def save(self, principal: Principal) -> Bot | None:
        """The bot; None with ``problems`` filled in."""
        if not _NAME.fullmatch(self.name):
            self.problems = [Problem("name", "must be 1 to 80 letters, digits, - and _")]
            return None
        try:
            return actions.save_bot(self.name, recipes.load(self.text), principal=principal)
        except RecipeError as error:
            self.problems = list(error.problems)
        except TradingError as error:
            self.problems = [Problem("", str(error))]
        return None


def version_in(data: Mapping[str, Any]) -> int | None:
    """The version that was chosen; raises `InvalidValue`."""
    text = data.get("version", "")
    if not text:
        return None
    if not text.isdecimal():
        raise InvalidValue("version: choose one of the list")
    return int(text)


def start_backtest(bot: Bot, data: Mapping[str, Any], principal: Principal) -> Run:
    """Raises `TradingError` for what stands against it."""
    return actions.start_backtest(bot, principal=principal, version=version_in(data))


def start_paper(bot: Bot, data: Mapping[str, Any], principal: Principal) -> Run:
    """The session, or the run that the metadata gate has blocked. Raises `TradingError` for what stands against it."""
    try:
        return actions.start_paper(
            bot,
            principal=principal,
            version=version_in(data),
            starting_cash=_amount(data, "starting_cash"),
            duration_minutes=_amount(data, "duration_minutes"),
        )
    except GateRefused as refused:
        return refused.run
    except StartHeld as error:
        raise InvalidValue(str(error)) from error


def _amount(data: Mapping[str, Any], name: str) -> float | None:
    text = data.get(name, "").strip()
    if not text:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not (math.isfinite(amount) and amount > 0):
        raise InvalidValue(f"{name}: must be a number above zero, not {text[:40]}")
    return amount
