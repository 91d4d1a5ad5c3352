"""Write a study's drawn pairs as blind tasks for another tool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import Min

from reviews import blinding, passages, sampling
from reviews.errors import BadInput
from reviews.exchange.imports import TOOLS
from reviews.models import Slot, Study
from routing.models import ShadowPair
from routing.types import Tier

_GROUP = 200


def count(study: Study) -> int:
    """Return how many tasks there are."""
    return len(_in_order(study))


def write(study: Study, tool: str, limit: int | None = None) -> Iterator[str]:
    """Return a JSON array of tasks, piece by piece.

    They come in the queue's random order: whoever stops early has labelled a random part. Sides
    are drawn by the study's seed, so that the same task comes out the same; answers look as the
    study shows them.

    Raises:
        BadInput: when the tool is unknown.
    """
    if tool not in TOOLS:
        raise BadInput(f"Tasks are made for {' or '.join(TOOLS)}.")
    before = "["
    for task in _tasks(study, tool, limit):
        yield f"{before}\n{json.dumps(task, ensure_ascii=False)}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def _tasks(study: Study, tool: str, limit: int | None) -> Iterator[dict[str, Any]]:
    ids = _in_order(study)[:limit]
    related = ("request__decision__policy", "request__retrieval", "cheap", "expensive")
    for at in range(0, len(ids), _GROUP):
        group = ids[at : at + _GROUP]
        pairs = ShadowPair.objects.select_related(*related).in_bulk(group)
        for pair_id in group:
            yield _task(study, tool, pairs[pair_id])


def _in_order(study: Study) -> list[int]:
    slots = study.slots.filter(kind=Slot.Kind.SAMPLE).values("pair_id")
    first = slots.annotate(first=Min("order")).order_by("first", "pair_id")
    return list(first.values_list("pair_id", flat=True))


def _task(study: Study, tool: str, pair: ShadowPair) -> dict[str, Any]:
    texts = blinding.told(pair, study)
    is_cheap_left = sampling.uniform(f"{study.seed}|tasks", pair.request_id) < 0.5
    left = Tier.CHEAP if is_cheap_left else Tier.EXPENSIVE
    sides = texts[left.value], texts[left.other.value]
    found = passages.text(passages.of(pair) or ())
    return TOOLS[tool].task(str(pair.request_id), pair.request.query, *sides, found)
