"""A copy of the ledger is exact, can be checked, and is whole or not there."""

import csv
import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import Group

from tests.ledger.builders import NINE_THIRTY, Trading, a_day_of_trading, new_run
from trading import ledger, ledger_api
from trading.engine.bars import to_datetime
from trading.engine.errors import InvalidValue
from trading.engine.records import Kind, Record
from trading.ledger.export_check import verify_export
from trading.ledger.export_files import digest, export
from trading.ledger.exports import TABLES, Scope
from trading.models import EquityPoint, Fill, LedgerEvent, Order, Position, RiskEvent, Run

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = {
    "runs": Run,
    "orders": Order,
    "fills": Fill,
    "positions": Position,
    "equity_points": EquityPoint,
    "risk_events": RiskEvent,
    "events": LedgerEvent,
}
FORMATS = ("csv", "parquet")


@pytest.fixture
def runs():
    """Two runs with every kind of row; the second has figures that no decimal of 38 digits holds."""
    first, second = new_run(), new_run(name="=cmd|' /C calc'!A0", account="-1+1")
    ledger.append_now(first.id, a_day_of_trading(first), points=[(NINE_THIRTY, Decimal(100_000), Decimal(99_000))])
    trading = Trading(second)
    order = trading.order(qty=Decimal(3))
    lives = [trading.intend(order), trading.submit(order)]
    lives += [trading.fill(order, Decimal(1), Decimal("0.1")), trading.fill(order, Decimal(2), Decimal("0.11"))]
    ledger.append_now(second.id, lives)
    ledger.anchor_heads()
    return first, second


def read(folder, table):
    """The rows of a copy, every value as text, None where there is none."""
    path = next(folder.glob(f"{table}.*"))
    if path.suffix == ".parquet":
        return [
            {name: None if value is None else text(value) for name, value in row.items()}
            for row in pq.read_table(path).to_pylist()
        ]
    with path.open(newline="") as file:
        return [
            {
                name: None
                if value == ""
                else value.removeprefix("'")
                if TABLES[table].columns[name] == "text"
                else value
                for name, value in row.items()
            }
            for row in csv.DictReader(file)
        ]


def text(value):
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("form", FORMATS)
def test_every_row_is_in_the_copy_with_every_digit(tmp_path, runs, form):
    manifest = export(tmp_path / "copy", form, Scope())
    for table, model in MODELS.items():
        assert manifest["tables"][table]["rows"] == len(read(tmp_path / "copy", table)) == model.objects.count() > 0
    row = next(row for row in read(tmp_path / "copy", "orders") if row["run_id"] == str(runs[1].id))
    order = Order.objects.get(run=runs[1])
    assert Decimal(row["avg_fill_price"]) == order.avg_fill_price
    assert len(order.avg_fill_price.as_tuple().digits) > 18
    assert (row["id"], row["limit_price"], row["extended_hours"]) == (order.id, None, "false")
    assert row["created_at"] == order.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_both_formats_tell_the_same(tmp_path, runs):
    for form in FORMATS:
        export(tmp_path / form, form, Scope([run.id for run in runs]))
    for table in TABLES:
        left, right = (read(tmp_path / form, table) for form in FORMATS)
        figures = [name for name, kind in TABLES[table].columns.items() if kind == "numeric"]
        for row in (*left, *right):
            row.update({name: Decimal(row[name]) for name in figures if row[name] is not None})
            row.update({name: value or None for name, value in row.items() if value in ("", None)})
        assert left == right, table


def test_no_text_of_a_csv_is_a_formula(tmp_path, runs):
    export(tmp_path / "copy", "csv", Scope([runs[1].id]))
    with (tmp_path / "copy" / "runs.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], row["account"]) == ("'=cmd|' /C calc'!A0", "'-1+1")
    assert read(tmp_path / "copy", "runs")[0]["name"] == runs[1].name


@pytest.mark.parametrize("form", FORMATS)
def test_a_copy_can_be_checked_and_a_changed_one_is_found_out(tmp_path, runs, form):
    copy = tmp_path / "copy"
    manifest = export(copy, form, Scope())
    assert manifest["last_anchor"]["hash"] == ledger.verify().last_anchor
    report = verify_export(copy)
    assert (report.ok, report.runs, report.events) == (True, 2, LedgerEvent.objects.count())

    path = copy / f"fills.{form}"
    path.write_bytes(path.read_bytes().replace(b"SPY", b"QQQ"))
    assert [(each.check, each.table) for each in verify_export(copy).differences] == [("file", "fills")]


def test_an_event_that_was_changed_with_its_file_s_hash_breaks_the_chain(tmp_path, runs):
    copy = tmp_path / "copy"
    export(copy, "csv", Scope([runs[0].id]))
    path, manifest = copy / "events.csv", json.loads((copy / "manifest.json").read_text())
    path.write_text(path.read_text().replace("the feed ended", "the feed began"))
    manifest["tables"]["events"]["sha256"] = digest(path)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert {(each.check, each.column) for each in verify_export(copy).differences} == {("chain", "hash")}

    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert {each.row for each in verify_export(copy).differences} >= {"its last", "events.csv"}


def test_a_copy_of_another_ledger_s_run_is_told_from_this_one_s(tmp_path, runs):
    copy = tmp_path / "copy"
    export(copy, "csv", Scope([runs[0].id]))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["stretches"][0]["hash"] = "00" * 32
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert {each.check for each in verify_export(copy).differences} == {"chain", "ledger"}


def test_times_choose_rows_and_the_chain_s_stretch_around_them(tmp_path, runs):
    events = LedgerEvent.objects.filter(run=runs[0]).order_by("seq")
    first, last = events[3].event_time, events[6].event_time
    scope = Scope([runs[0].id], first, last + timedelta(microseconds=1))
    export(tmp_path / "copy", "csv", scope)
    taken = [int(row["seq"]) for row in read(tmp_path / "copy", "events")]
    assert taken == list(range(4, 8))
    assert verify_export(tmp_path / "copy").ok
    fills = read(tmp_path / "copy", "fills")
    assert len(fills) == Fill.objects.filter(run=runs[0], filled_at__gte=first, filled_at__lte=last).count() > 0


def test_a_stretch_with_an_event_out_of_time_has_no_gap(tmp_path):
    run = new_run()
    facts = [Record(Kind.CASH, NINE_THIRTY + step, data={"amount": "0", "cash": "100000"}) for step in (0, 9**12, 1000)]
    ledger.append_now(run.id, facts)
    until = to_datetime(NINE_THIRTY + 10_000)
    manifest = export(tmp_path / "copy", "csv", Scope(None, None, until))
    assert manifest["tables"]["events"]["rows"] == 3
    assert verify_export(tmp_path / "copy").ok


def test_nothing_is_written_over_and_nothing_half_stays(tmp_path, runs):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(InvalidValue, match="name a new folder"):
        export(tmp_path / "mine", "csv", Scope())
    with pytest.raises(LookupError, match="there is no run"):
        export(tmp_path / "copy", "csv", Scope([uuid.uuid4()]))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(InvalidValue, match="no readable copy"):
        verify_export(tmp_path / "mine")


def asked(client, **query):
    answer = client.get("/ledger/export", query)
    return answer, b"".join(answer).decode() if answer.streaming else answer.json()


@pytest.fixture
def reader(client, django_user_model):
    user = django_user_model.objects.create_user("reader", password="x")
    user.groups.add(Group.objects.get(name="viewer"))
    client.force_login(user)
    return client


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_the_api_streams_what_the_file_holds(tmp_path, runs, reader):
    export(tmp_path / "copy", "csv", Scope([runs[0].id]))
    for table in TABLES:
        answer, body = asked(reader, table=table, run=runs[0].id)
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert body == (tmp_path / "copy" / f"{table}.csv").read_bytes().decode(), table


def test_the_api_says_which_field_is_wrong(runs, reader, monkeypatch):
    assert asked(reader, run=uuid.uuid4())[1]["code"] == "not_found"
    for wrong, field in (({"table": "users"}, "table"), ({"from": "2024-01-02", "to": "2024-01-01"}, "from")):
        answer, problem = asked(reader, **wrong)
        assert (answer.status_code, field in str(problem["errors"])) == (422, True)
    monkeypatch.setattr(ledger_api, "MOST_ROWS", 1)
    assert "alphaswarm ledger export" in str(asked(reader, table="fills")[1]["errors"])
