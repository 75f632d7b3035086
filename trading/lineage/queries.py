"""Aspects by URN, how they changed, and what trades by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet

from metadata import aspects
from metadata.models import Aspect
from metadata.urn import InvalidUrn, Urn
from trading import queries
from trading.accounts import kind_of
from trading.bots.queries import differences
from trading.models import Bot, Run

Row = dict[str, Any]

#: Runs and bots that a lineage shows, the newest.
SHOWN: Final = 20
#: Names under which a payload may point at another URN.
_LINKS: Final = ("pipeline", "model")
PAGE: Final = 100


def known(search: str = "", after: str = "") -> Row:
    """URNs by name, each with how many aspects and versions it has and when one was last written."""
    found = Aspect.objects.filter(urn__icontains=search, urn__gt=after).order_by("urn").values("urn")
    counted = found.annotate(names=Count("name", distinct=True), versions=Count("pk"), changed_at=Max("created_at"))
    rows = list(counted[: PAGE + 1])
    stated = _stated([row["urn"] for row in rows[:PAGE]])
    items = [{**row, "status": stated.get(row["urn"])} for row in rows[:PAGE]]
    return {"items": items, "next": items[-1]["urn"] if len(rows) > PAGE else None}


def _stated(urns: list[str]) -> dict[str, str]:
    """The `status` that was stated last of each URN, as `metadata.aspects.status_of`."""
    newest = Aspect.objects.filter(urn__in=urns, payload__has_key="status").order_by("urn", "-id").distinct("urn")
    return {one.urn: str(one.payload["status"]) for one in newest}


def is_urn(text: str) -> bool:
    try:
        Urn.parse(text)
    except InvalidUrn:
        return False
    return True


def of_urn(urn: str) -> list[Row]:
    """Each aspect, its newest version and all of them, newest first; empty for a URN that nothing is known about."""
    return [{"newest": one, "versions": list(aspects.history(urn, one.name))} for one in aspects.latest(urn)]


def compared(versions: list[Aspect], before: str, after: str) -> Row | None:
    """What differs between two versions: those that are named, or the last two; None where there is but one."""
    by_number = {str(one.version): one for one in versions}
    numbers = list(by_number)
    if len(numbers) < 2:
        return None
    one, other = by_number.get(before, versions[1]), by_number.get(after, versions[0])
    return {"before": one.version, "after": other.version, "rows": differences(one.payload, other.payload)}


def lineage(urn: str) -> Row:
    """From model to pipeline to bots to runs: the URNs that belong together, the bots that name one of them, and the
    newest runs that were started by one of them."""
    urns = _together(urn)
    models = sorted(one for one in urns if Urn.parse(one).kind == "mlmodel")
    pipelines = sorted(one for one in urns if Urn.parse(one).kind == "pipeline")
    runs = Run.objects.filter(Q(model_urn__in=urns) | Q(pipeline_urn__in=urns)).order_by(*queries.NEWEST_RUNS)
    newest = list(runs.defer("recipe", "state", "metrics")[:SHOWN])
    return {
        "models": models,
        "pipelines": pipelines,
        "bots": list(_bots(urns)[:SHOWN]),
        "runs": [{"id": str(run.pk), "name": run.name, "status": run.status, "kind": kind_of(run)} for run in newest],
        "shown": SHOWN,
    }


def _together(urn: str) -> set[str]:
    """The URN, those that its newest aspects point at, and those whose aspects point at it."""
    found = {urn}
    for aspect in aspects.latest(urn):
        found |= set(_links(aspect.payload))
    pointing = Q()
    for name in _LINKS:
        pointing |= Q(**{f"payload__{name}": urn})
    for aspect in Aspect.objects.filter(pointing).order_by("urn", "name", "-version").distinct("urn", "name"):
        found.add(aspect.urn)
    return found


def _links(payload: Mapping[str, Any]) -> list[str]:
    return [str(payload[name]) for name in _LINKS if is_urn(str(payload.get(name, "")))]


def _bots(urns: set[str]) -> QuerySet[Bot]:
    named = Q(versions__recipe__session__model_urn__in=urns) | Q(versions__recipe__session__pipeline_urn__in=urns)
    return Bot.objects.filter(named).distinct().order_by("name")
