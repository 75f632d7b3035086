"""Rows of the inspector as a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

#: Rows of a file at most; the whole ledger is exported by `alphaswarm ledger export`.
MOST: Final = 10_000


class _Line:
    """Takes what a csv.writer writes and hands it back."""

    def write(self, text: str) -> str:
        return text


@admin.action(description="Download as CSV")
def as_csv(inspector: Any, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase:
    """The chosen rows, at most `MOST`, with every column; bytes in hexadecimal, documents as JSON."""
    table = chosen.model._meta.db_table
    headers = {"Content-Disposition": f'attachment; filename="{table}.csv"'}
    return StreamingHttpResponse(_lines(chosen[:MOST]), content_type="text/csv; charset=utf-8", headers=headers)


def _lines(rows: QuerySet[Any]) -> Iterator[str]:
    writer = csv.writer(_Line())
    names = [field.attname for field in rows.model._meta.concrete_fields]
    yield writer.writerow(names)
    for row in rows.values_list(*names):
        yield writer.writerow([_plain(value) for value in row])


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value)
    # A spreadsheet would run what begins like a formula; no figure of ours is text.
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" and value else value
