import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, connection, connections, transaction

from access.models import AuditEntry
from metadata import aspects, baseline_aspects
from metadata.aspects import InvalidAspect, write_aspect
from metadata.baseline_aspects import seed_paper_baseline_aspects
from metadata.models import Aspect
from metadata.urn import InvalidUrn

pytestmark = pytest.mark.django_db

URN = "urn:alphaswarm:mlmodel:test:one"


def test_versions_count_and_the_latest_wins():
    first = write_aspect(URN, "model", {"status": "Staging"})
    second = write_aspect(URN, "model", {"status": "Production"})
    assert (first.version, second.version) == (1, 2)
    assert aspects.latest(URN) == [second]
    assert list(aspects.history(URN, "model")) == [second, first]


def test_aspects_of_one_urn_have_versions_of_their_own():
    write_aspect(URN, "model", {})
    assert write_aspect(URN, "owner", {}).version == 1
    assert [aspect.name for aspect in aspects.latest(URN)] == ["model", "owner"]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE metadata_aspects SET payload = '{}'", "DELETE FROM metadata_aspects", "TRUNCATE metadata_aspects"],
)
def test_a_version_is_never_changed(statement):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_writing_is_audited():
    write_aspect(URN, "model", {})
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.target, entry.detail) == ("aspect.write", URN, {"name": "model", "version": 1})


def test_a_urn_must_be_one():
    with pytest.raises(InvalidUrn):
        write_aspect("model", "model", {})


@pytest.mark.parametrize(
    ("name", "payload", "field"),
    [
        ("", {}, "name"),
        ("a b", {}, "name"),
        ("x" * 65, {}, "name"),
        ("model", [], "payload"),
        ("model", {"x": float("nan")}, "payload"),
        ("model", {"x": object()}, "payload"),
        ("model", {"x": "\0"}, "payload"),
        ("model", {"x": "y" * 70_000}, "payload"),
    ],
)
def test_what_cannot_be_kept_is_refused(name, payload, field):
    with pytest.raises(InvalidAspect) as error:
        write_aspect(URN, name, payload)
    assert error.value.field == field


def test_the_status_is_the_one_stated_last():
    assert aspects.status_of(URN) is None
    write_aspect(URN, "model", {"status": "Production"})
    write_aspect(URN, "review", {"status": "Archived"})
    write_aspect(URN, "owner", {"team": "a"})
    assert aspects.status_of(URN) == "Archived"


@pytest.mark.django_db(transaction=True)
def test_versions_have_no_hole_however_many_write_at_once():
    together = threading.Barrier(8)

    def write(number: int) -> int:
        together.wait()
        try:
            return write_aspect(URN, "model", {"number": number}).version
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(8))) == list(range(1, 9))


def test_ten_urns_are_known_from_the_start():
    seeded = {*baseline_aspects.MODELS.values(), *baseline_aspects.PIPELINES.values()}
    assert len(seeded) == 10
    assert set(Aspect.objects.values_list("urn", flat=True)) == seeded
    assert {aspects.status_of(urn) for urn in baseline_aspects.MODELS.values()} == {"Production"}


def test_seeding_again_changes_nothing_that_an_operator_wrote():
    urn = baseline_aspects.MODELS["alpaca_mean_reversion_v1"]
    write_aspect(urn, "model", {"status": "Archived"})
    assert seed_paper_baseline_aspects() == []
    assert aspects.status_of(urn) == "Archived"
