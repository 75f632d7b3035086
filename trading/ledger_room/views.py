"""The page of the ledger, and its rows as a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.auth import page
from trading.engine.errors import InvalidValue
from trading.ledger.export_files import FORMATS, write_table
from trading.ledger_room import queries
from trading.ledger_room.forms import LedgerForm
from trading.rendering import rendered

_render = partial(rendered, "ledger")

#: Of one file, since the web server takes what it is given into memory, however slowly the other side reads.
MOST_ROWS: Final = 100_000
_TYPES: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@never_cache
@require_GET
@page("read")
def ledger(request: HttpRequest) -> HttpResponse:
    table = _table(request)
    form = LedgerForm(table, request.GET)
    if not form.is_valid():
        return _page(request, table, form, {"items": []}, status=422)
    try:
        found = queries.ledger_page(table, form.wanted(), request.GET.get("after"))
    except InvalidValue as error:
        raise Http404(str(error)) from error
    return _page(request, table, form, {**found, "totals": queries.totals(table, form.wanted())})


@never_cache
@require_GET
@page("read")
def download(request: HttpRequest) -> HttpResponse:
    table, form = _table(request), LedgerForm(_table(request), request.GET)
    kind = request.GET.get("format", "csv")
    if kind not in FORMATS:
        raise Http404(f"format is one of {', '.join(FORMATS)}")
    if not form.is_valid():
        return _page(request, table, form, {"items": []}, status=422)
    with TemporaryDirectory() as folder:
        try:
            file = write_table(table, Path(folder), kind, form.wanted().scope(), MOST_ROWS)
        except InvalidValue as error:
            form.add_error(None, f"No file was written: {error}.")
            return _page(request, table, form, {"items": []}, status=422)
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return HttpResponse(file.read_bytes(), content_type=_TYPES[kind], headers=headers)


def _table(request: HttpRequest) -> str:
    table = request.GET.get("table", "orders")
    if table not in queries.BOOKS:
        raise Http404(f"table is one of {', '.join(queries.BOOKS)}")
    return table


def _page(
    request: HttpRequest, table: str, form: LedgerForm, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    tables = [{"name": name, "title": book.title} for name, book in queries.BOOKS.items()]
    filtered = form.is_valid() and form.wanted().anything
    common = {"table": table, "title": queries.BOOKS[table].title, "tables": tables, "form": form, "filtered": filtered}
    return _render(request, "ledger", {**common, **context}, status=status)
