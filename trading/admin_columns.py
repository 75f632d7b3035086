"""Columns of the ledger inspector: times with their zone, bytes as hex, JSON laid out, and links between the rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.urls import reverse
from django.utils.html import format_html

Column = Callable[[Any], Any]
EMPTY = "-"


def _column(name: str, text: Callable[[Any], Any], order: str | None = None, sort: str = "column") -> Column:
    @admin.display(description=name.replace("_", " "), ordering=order or name, empty_value=EMPTY)
    def column(row: Any) -> Any:
        return text(row)

    # The end of the name is the end of a class in the list, by which styles tell a figure from a text.
    column.__name__ = f"{name}_{sort}"
    return column


def when(name: str) -> Column:
    def text(row: Any) -> str | None:
        moment = getattr(row, name)
        return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S.%f} {moment.tzname()}"

    return _column(name, text)


def hexadecimal(name: str) -> Column:
    return _column(name, lambda row: bytes(getattr(row, name)).hex())


def laid_out(name: str) -> Column:
    def text(row: Any) -> Any:
        return format_html("<pre>{}</pre>", json.dumps(getattr(row, name), indent=2, cls=DjangoJSONEncoder))

    return _column(name, text)


def plain_figure(name: str) -> Column:
    def text(row: Any) -> str | None:
        figure = getattr(row, name)
        return None if figure is None else f"{figure:,f}"

    return _column(name, text, sort="figure")


def to_row(name: str, label: str = "") -> Column:
    """A link to the row that a foreign key names."""

    def text(row: Any) -> Any:
        key = getattr(row, f"{name}_id")
        if key is None:
            return None
        url = page(type(row)._meta.get_field(name).related_model, key)
        said = getattr(getattr(row, name), label) if label else _brief(key)
        return format_html('<a href="{}" title="{}">{}</a>', url, key, said)

    return _column(name, text)


def _brief(key: object) -> object:
    """Of a random id what tells it from others; other keys say something."""
    return str(key)[:8] if isinstance(key, UUID) else key


def to_list(name: str, model: type[models.Model], conditions: Callable[[Any], dict[str, Any]]) -> Column:
    """A link to those rows of another table that have to do with this one."""

    def text(row: Any) -> Any:
        url = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
        return format_html('<a href="{}?{}">{}</a>', url, urlencode(conditions(row)), name.replace("_", " "))

    return _column(name, text, "pk")


def page(model: Any, key: object) -> str:
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_change", args=[key])


def details(model: type[models.Model], without: Iterable[str] = ()) -> list[Column | str]:
    """Every column of a table, in a form for reading."""
    return [_detail(field) for field in model._meta.concrete_fields if field.name not in without]


def _detail(field: models.Field) -> Column | str:
    if isinstance(field, models.ForeignKey):
        return to_row(field.name)
    forms: dict[type[models.Field], Callable[[str], Column]] = {
        models.DateTimeField: when,
        models.BinaryField: hexadecimal,
        models.JSONField: laid_out,
        models.DecimalField: plain_figure,
    }
    for kind, form in forms.items():
        if isinstance(field, kind):
            return form(field.name)
    return field.name
