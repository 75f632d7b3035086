"""A recipe as the fields of a form. Form and text are two views of one document: a field that was changed is written
into the text, and the fields are read from the text again."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from risk.limits import RiskLimits
from risk.sizing import ContinuousKelly, DiscreteKelly, FixedFraction, FixedQuantity, VolatilityTarget
from trading.recipes import Problem, RecipeError, SessionOptions
from trading.recipes.credentials import is_secret
from trading.recipes.document import read_document
from trading.recipes.editing import flow, with_field
from trading.recipes.parts import KINDS, kwargs_model

Path = tuple[str, ...]

#: What most recipes set; the others stand folded up.
_USUAL: Final = frozenset(
    {
        *("timeframe", "pace", "speed", "path", "quotes", "seed", "bars", "volatility", "warm_up"),
        *("paper", "starting_cash", "fill", "slippage", "fees", "account"),
        *("max_order_value", "max_position_value", "max_open_orders", "max_gross_exposure", "max_concentration"),
        *("max_daily_loss", "max_drawdown", "allow_short"),
        *("model_urn", "pipeline_urn", "max_bars", "duration_minutes"),
    }
)
_TITLES: Final = {"strategy": "Strategy", "feed": "Prices", "brokerage": "Venue"}
_ACRONYMS: Final = {"urn": "URN", "url": "URL", "pdt": "PDT", "atr": "ATR", "id": "ID"}
_SIZINGS: Final[Mapping[str, Sequence[type[BaseModel]]]] = {
    "fixed_quantity": [FixedQuantity],
    "fixed_fraction": [FixedFraction],
    "volatility_target": [VolatilityTarget],
    "kelly": [DiscreteKelly, ContinuousKelly],
}


@dataclass
class Field:
    """One value of the recipe as text. ``choices`` are its values where they can be listed, ``default`` is what counts
    where it is empty; ``is_text``: what is typed is taken as it stands, otherwise as a value of YAML."""

    path: Path
    text: str = ""
    default: str = ""
    choices: list[str] = field(default_factory=list)
    is_text: bool = False
    is_number: bool = False
    usual: bool = True
    problems: list[Problem] = field(default_factory=list)

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def label(self) -> str:
        said = " ".join(_ACRONYMS.get(word, word) for word in self.path[-1].split("_"))
        return said[0].upper() + said[1:]

    def value(self, typed: str) -> Any:
        """What was typed as a value of the recipe; None for nothing."""
        typed = typed.strip()
        if not typed:
            return None
        if self.path == ("universe",):
            return typed.replace(",", " ").split()
        if self.is_text:
            return typed
        try:
            return read_document(typed)
        except RecipeError:
            return typed


@dataclass(frozen=True)
class Section:
    title: str
    fields: list[Field]

    @property
    def usual(self) -> list[Field]:
        return [one for one in self.fields if one.usual]

    @property
    def folded(self) -> list[Field]:
        return [one for one in self.fields if not one.usual]

    @property
    def opens(self) -> bool:
        """Whether something that is folded up is set, or wrong."""
        return any(one.text or one.problems for one in self.folded)


def sections_of(data: Mapping[str, Any], problems: Sequence[Problem] = ()) -> list[Section]:
    """The form of a recipe's data, whatever state it is in, with what is wrong beside each field."""
    sections = [
        Section("What trades", [_text(("name",), data), _universe(data)]),
        *(Section(title, list(_part(name, data))) for name, title in _TITLES.items()),
        Section("Limits", list(_model(("risk",), RiskLimits, data))),
        Section("Sizing", list(_sizing(data))),
        Section("Run", list(_model(("session",), SessionOptions, data))),
    ]
    for section in sections:
        for one in section.fields:
            one.problems = [problem for problem in problems if _is_about(problem, one)]
    return sections


def changed(text: str, sections: Sequence[Section], typed: Mapping[str, str]) -> str:
    """The recipe's text with every field that a person has changed since the ``sections`` were shown."""
    for one in (one for section in sections for one in section.fields):
        if one.name in typed and typed[one.name].strip() != one.text:
            text = with_field(text, one.path, one.value(typed[one.name]))
            if one.path[-1] in ("class", "method", "kind"):
                text = _without_strangers(text, one.path[0])
    return text


def _without_strangers(text: str, section: str) -> str:
    """The text without the arguments that another class of the section has, and the chosen one has not."""
    data = read_document(text)
    if section == "sizing":
        known = {one.path[-1] for one in _sizing(data)}
        way: Path = ("sizing",)
    else:
        known = {one.path[-1] for one in _part(section, data)} | set(
            filter(is_secret, _inside(data, section, "kwargs"))
        )
        way = (section, "kwargs")
    for name in set(_inside(data, *way)) - known:
        text = with_field(text, (*way, name), None)
    return text


def _inside(data: Any, *way: str) -> Mapping[str, Any]:
    for step in way:
        data = data.get(step) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def _written(data: Mapping[str, Any], path: Path) -> str:
    value = _inside(data, *path[:-1]).get(path[-1])
    if value is None:
        return ""
    return value if isinstance(value, str) else flow(value)


def _text(path: Path, data: Mapping[str, Any]) -> Field:
    return Field(path, _written(data, path), is_text=True)


def _universe(data: Mapping[str, Any]) -> Field:
    value = data.get("universe")
    listed = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return Field(("universe",), ", ".join(value or []) if listed else _written(data, ("universe",)))


def _part(section: str, data: Mapping[str, Any]) -> Iterator[Field]:
    """The class, and the arguments of the one that is chosen."""
    chosen = _written(data, (section, "class"))
    registry = KINDS[section].registry
    yield Field((section, "class"), chosen, choices=list(registry), is_text=True)
    if chosen in registry:
        model = kwargs_model(registry[chosen], *KINDS[section].injected)
        yield from _model((section, "kwargs"), model, data, all_usual=section == "strategy")


def _sizing(data: Mapping[str, Any]) -> Iterator[Field]:
    method, kind = _written(data, ("sizing", "method")), _written(data, ("sizing", "kind"))
    yield Field(("sizing", "method"), method, "the strategy's own quantities", list(_SIZINGS), is_text=True)
    models = _SIZINGS.get(method, [])
    if len(models) > 1:
        kinds = [get_args(model.model_fields["kind"].annotation)[0] for model in models]
        yield Field(("sizing", "kind"), kind, choices=kinds, is_text=True)
        models = [model for model, name in zip(models, kinds, strict=True) if name == kind]
    for model in models:
        fields = _model(("sizing",), model, data, all_usual=True)
        yield from (one for one in fields if one.path[-1] not in ("method", "kind"))


def _model(path: Path, model: type[BaseModel], data: Mapping[str, Any], *, all_usual: bool = False) -> Iterator[Field]:
    for name, info in model.model_fields.items():
        if is_secret(name):
            continue
        kinds = list(_kinds(info.annotation))
        default = "" if info.default in (None, PydanticUndefined) else _plain(info.default)
        yield Field(
            (*path, name),
            _written(data, (*path, name)),
            default,
            _choices(kinds),
            is_text=all(one is str or _values(one) for one in kinds),
            is_number=not {str, bool}.intersection(kinds) and not any(map(_values, kinds)),
            usual=all_usual or name in _USUAL or info.is_required(),
        )


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value if isinstance(value, Enum) else value)


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types and literals that a union is made of, but for None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from _kinds(one)
    elif annotation is not type(None):
        yield annotation


def _values(kind: Any) -> list[str]:
    """The texts that an enumeration or a literal allows; of a mapping, or any other type, none."""
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    return [str(one.value) for one in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []


def _choices(kinds: Sequence[Any]) -> list[str]:
    """The values of a field that can be listed; a field that takes anything else too has to be typed."""
    if kinds == [bool]:
        return ["true", "false"]
    return [value for one in kinds for value in _values(one)] if all(map(_values, kinds)) else []


def _is_about(problem: Problem, one: Field) -> bool:
    return problem.field == one.name or problem.field.startswith(f"{one.name}.")
