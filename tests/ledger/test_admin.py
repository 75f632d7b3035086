"""The admin shows the ledger and changes nothing."""

import csv
import io
import re

import pytest
from django.contrib.admin.sites import site
from django.urls import reverse

from tests.ledger.builders import Trading, a_day_of_trading, new_run
from trading import ledger
from trading.admin import CountingPaginator
from trading.apps import TradingConfig
from trading.models import Bot, Fill, LedgerEvent, Order, Run

pytestmark = pytest.mark.django_db

INSPECTED = [model for model in site._registry if model._meta.app_label == TradingConfig.name]


@pytest.fixture
def run():
    run = new_run(bot=Bot.objects.create(name="momentum"))
    ledger.append_now(run.id, a_day_of_trading(run), points=[Trading(run).point()])
    ledger.anchor_heads()
    return run


def listed(model):
    return reverse(f"admin:trading_{model._meta.model_name}_changelist")


def shown(row):
    return reverse(f"admin:trading_{row._meta.model_name}_change", args=[row.pk])


@pytest.mark.parametrize("model", INSPECTED, ids=lambda model: model._meta.model_name)
def test_every_list_and_every_row_opens(admin_client, run, model):
    assert admin_client.get(listed(model)).status_code == 200
    assert admin_client.get(listed(model), {"q": "nothing has this"}).status_code in (200, 302)
    for row in model.objects.all()[:3]:
        page = admin_client.get(shown(row))
        assert page.status_code == 200
        assert "_save" not in page.text
        for link in set(re.findall(r'href="(/admin/trading/[^"]+)"', page.text)):
            assert admin_client.get(link.replace("&amp;", "&")).status_code == 200, link


@pytest.mark.parametrize("model", INSPECTED, ids=lambda model: model._meta.model_name)
def test_nothing_is_added_changed_or_deleted(admin_client, run, model):
    name = f"admin:trading_{model._meta.model_name}"
    assert admin_client.get(reverse(f"{name}_add")).status_code == 403
    for row in model.objects.all()[:1]:
        assert admin_client.post(shown(row), {}).status_code == 403
        assert admin_client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_from_a_run_to_its_orders_to_their_fills_to_their_events(admin_client, run):
    order = Order.objects.get(run=run, symbol="BAC")
    fill = order.fills.get()
    orders = admin_client.get(listed(Order), {"run__id__exact": run.pk})
    assert shown(order) in orders.text
    fills = admin_client.get(listed(Fill), {"order__id__exact": order.pk})
    assert shown(fill) in fills.text
    (event,) = (
        admin_client.get(listed(LedgerEvent), {"run__id__exact": run.pk, "seq": fill.seq}).context["cl"].result_list
    )
    assert event.kind == "order.filled"
    life = admin_client.get(listed(LedgerEvent), {"run__id__exact": run.pk, "payload__order__id": order.pk})
    assert [each.kind for each in life.context["cl"].result_list] == [
        "order.filled",
        "order.submitted",
        "order.intended",
    ]


def test_an_id_that_is_searched_for_is_found(admin_client, run):
    assert shown(run) in admin_client.get(listed(Run), {"q": str(run.pk)}).text
    order = Order.objects.first()
    assert shown(order) in admin_client.get(listed(Order), {"q": order.pk}).text


def test_times_tell_their_zone_and_figures_all_their_digits(admin_client, run):
    page = admin_client.get(shown(Fill.objects.get(symbol="BAC"))).text
    assert re.search(r"2013-10-01 13:30:\d\d\.\d{6} UTC", page)
    assert "101.37" in page
    assert "101.370" not in page


def test_a_large_table_is_not_counted_to_its_end(django_assert_num_queries, run, monkeypatch):
    monkeypatch.setattr(CountingPaginator, "MOST", 3)
    with django_assert_num_queries(1):
        assert CountingPaginator(LedgerEvent.objects.order_by("-id"), 50).count == 3


def test_chosen_rows_are_downloaded_with_every_column(admin_client, run):
    events = LedgerEvent.objects.filter(run=run)
    chosen = {"action": "as_csv", "_selected_action": [event.pk for event in events]}
    answer = admin_client.post(listed(LedgerEvent), chosen)
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert {int(row["seq"]) for row in rows} == {event.seq for event in events}
    assert {row["hash"] for row in rows} == {bytes(event.hash).hex() for event in events}


def test_the_days_of_a_list_are_told_without_reading_its_rows(admin_client, run, django_assert_num_queries):
    first = Fill.objects.earliest("filled_at").filled_at.date()
    with django_assert_num_queries(1):
        days = site._registry[Fill].get_queryset(None).datetimes("filled_at", "day")
    assert days[0] == first
    assert days == sorted(set(days))


def test_it_has_the_bar_of_every_page_and_is_a_place_in_it(admin_client):
    page = admin_client.get(listed(Fill)).content.decode()
    assert re.search(r'<a href="/admin/" aria-current="page">Inspector</a>', page)
    assert 'id="kill"' in page
