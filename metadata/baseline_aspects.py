"""The models and pipelines that every installation knows from its first start."""

from __future__ import annotations

from typing import Any

from metadata.models import Aspect

AUTHOR = "baseline"
PIPELINE_OF_MODEL = {
    "alpaca_mean_reversion_v1": "alpaca_mean_reversion_loop",
    "ibkr_mean_reversion_v1": "ibkr_mean_reversion_loop",
    "avellaneda_stoikov_v1": "avellaneda_stoikov_quotes_loop",
    "lucic_tse_options_v1": "lucic_tse_options_loop",
    "tradier_rest_baseline_v1": "tradier_rest_loop",
}
MODELS = {name: f"urn:alphaswarm:mlmodel:prod:{name}" for name in PIPELINE_OF_MODEL}
PIPELINES = {name: f"urn:alphaswarm:pipeline:prod:{name}" for name in PIPELINE_OF_MODEL.values()}


def seed_paper_baseline_aspects(model: type[Aspect] = Aspect) -> list[str]:
    """Write the baseline of each URN that nothing is known about yet; the URNs that were written.

    What an operator wrote since, such as another status, stays. `model` is the table of a migration's own time.
    """
    known = set(model.objects.filter(urn__in=[*MODELS.values(), *PIPELINES.values()]).values_list("urn", flat=True))
    missing = [aspect for aspect in _baseline(model) if aspect.urn not in known]
    model.objects.bulk_create(missing)
    return [aspect.urn for aspect in missing]


def _baseline(model: type[Aspect]) -> list[Aspect]:
    def first(urn: str, name: str, payload: dict[str, Any]) -> Aspect:
        return model(urn=urn, name=name, version=1, payload=payload, created_by=AUTHOR)

    found = []
    for name, pipeline in PIPELINE_OF_MODEL.items():
        uses, used_by = PIPELINES[pipeline], MODELS[name]
        found.append(first(used_by, "model", {"name": name, "status": "Production", "pipeline": uses}))
        found.append(first(uses, "pipeline", {"name": pipeline, "model": used_by}))
    return found
