"""Where a brokerage's and a feed's secrets come from, and how they stay out of everything that is kept.

An adapter's constructor has a default for each of them, so that a recipe can be read where they are not known.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from trading.engine.errors import InvalidValue
from trading.recipes.models import Recipe

REDACTED: Final = "[redacted]"
#: A secret shorter than this is looked for as a whole only, for it would occur in other words by chance.
SHORTEST_INSIDE: Final = 6

_ALPACA: Final = ("ALPHASWARM_ALPACA_", ("api_key", "secret_key", "base_url", "stream_url", "data_url"))
_IBKR: Final = ("ALPHASWARM_IBKR_", ("host", "port", "client_id"))
_TRADIER: Final = ("ALPHASWARM_TRADIER_", ("token", "account_id", "base_url", "stream_url"))
#: The prefix of a class' variables and the arguments that they hold.
_VARIABLES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "AlpacaBrokerage": _ALPACA,
    "AlpacaFeed": _ALPACA,
    "IBKRFeed": _IBKR,
    "InteractiveBrokersBrokerage": _IBKR,
    "TradierBrokerage": _TRADIER,
    "TradierFeed": _TRADIER,
}
#: Without these no account can be asked for anything. TWS has no credentials: who can connect is let in.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "AlpacaBrokerage": ("api_key", "secret_key"),
    "TradierBrokerage": ("token", "account_id"),
}
_SECRET: Final = re.compile(
    r"(.*_)?(api_?key|access_?key|secret_?key|private_?key|secret|token|password|passphrase|credentials?)",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether an argument or a variable of this name holds a secret."""
    return _SECRET.fullmatch(name.replace("-", "_")) is not None


def completed(
    cls: type, kwargs: Mapping[str, Any], given: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """The arguments to make ``cls`` with: the recipe's ``kwargs`` before those ``given`` to the runner before the
    environment; what is left out by all has the default of the class. What is given and not its own is left out."""
    prefix, names = _VARIABLES.get(cls.__name__, ("", ()))
    parameters = _parameters(cls)
    found = {name: environment.get(prefix + name.upper(), "").strip() for name in names if name in parameters}
    read = {name: _typed(prefix + name.upper(), text, parameters[name]) for name, text in found.items() if text}
    return {**read, **{name: value for name, value in given.items() if name in parameters}, **kwargs}


def variables_of(cls: type) -> list[str]:
    """The variables that hold arguments of ``cls``."""
    prefix, names = _VARIABLES.get(cls.__name__, ("", ()))
    return [prefix + name.upper() for name in names if name in _parameters(cls)]


def needed(cls: type) -> list[str]:
    """The variables that must be set for ``cls`` to reach anything without a recipe's help."""
    prefix, _ = _VARIABLES.get(cls.__name__, ("", ()))
    return [prefix + name.upper() for name in _NEEDED.get(cls.__name__, ())]


def check_given(given: Iterable[str], *classes: type) -> None:
    """Raises `InvalidValue` for a name that is an argument of none of the classes."""
    for name in given:
        if not any(name in _parameters(cls) for cls in classes):
            raise InvalidValue(f"{name} is no argument of {' or '.join(cls.__name__ for cls in classes)}")


def _parameters(cls: type) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(cls, eval_str=True).parameters


def _typed(variable: str, text: str, parameter: inspect.Parameter) -> Any:
    try:
        return TypeAdapter(parameter.annotation).validate_python(text)
    except ValidationError as error:
        raise InvalidValue(f"{variable} in the environment: {error.errors()[0]['msg']}") from None


def secrets_of(recipe: Recipe) -> dict[str, Any]:
    """The secrets that the recipe itself brings, by argument: what `redacted` takes out."""
    parts = (recipe.strategy, recipe.feed, recipe.brokerage)
    return {name: value for part in parts for name, value in part.kwargs.items() if is_secret(name)}


def known_secrets(environment: Mapping[str, str] = os.environ) -> set[str]:
    """The values of the environment's own secrets."""
    names = (name for name in environment if name.startswith("ALPHASWARM_") and is_secret(name))
    return {environment[name] for name in names}


def without_secrets(data: Any, secrets: Iterable[str]) -> Any:
    """Plain data without the entries that are named like a secret, and with every occurrence of ``secrets`` blotted
    out."""
    wanted = {secret for secret in secrets if secret}
    long = sorted((secret for secret in wanted if len(secret) >= SHORTEST_INSIDE), key=len, reverse=True)

    def clean(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {clean(key): clean(inner) for key, inner in value.items() if not is_secret(key)}
        if isinstance(value, list | tuple):
            return [clean(inner) for inner in value]
        if not isinstance(value, str):
            return REDACTED if not isinstance(value, bool) and str(value) in long else value
        if value in wanted:
            return REDACTED
        for secret in long:
            value = value.replace(secret, REDACTED)
        return value

    return clean(data)
