"""Repeats of the demo: second answers of its expensive model, rated where nobody is waited for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from reviews import checks, guidance, sampling
from reviews.models import Presentation, Rater, Rating, Slot, Study
from routing import records
from routing.models import Completion, RepeatPair, ShadowPair
from routing.types import Reply, Tier, Usage

CONTENT = Path(__file__).parent / "data" / "demo_repeats.jsonl"
_CHOICES = Rating.Choice
#: What each preference is called when the first answer stands left.
_LEFT = {
    "expensive": _CHOICES.A_SLIGHTLY, "cheap": _CHOICES.B_SLIGHTLY, "tie": _CHOICES.EQUAL,
}  # fmt: skip
_RIGHT = {**_LEFT, "expensive": _CHOICES.B_SLIGHTLY, "cheap": _CHOICES.A_SLIGHTLY}


def rows() -> list[dict[str, Any]]:
    """Return the second answers by the id of their query, and which of the two was preferred.

    The first answer is called `expensive` and the second `cheap`, as on a showing.
    """
    with CONTENT.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write(study: Study, pairs: dict[str, ShadowPair], raters: Sequence[Rater]) -> None:
    """Write the repeats of the demo's pairs, and what raters who had not seen a pair say of it.

    In the caller's transaction, once.

    Args:
        study: of the demo, half rated.
        pairs: by the id of their query.
        raters: who may be asked.
    """
    waiting = set(checks.waiting(study).values_list("pair_id", flat=True))
    for row in rows():
        pair = pairs[row["id"]]
        _repeat(pair, row["second"])
        seen = study.slots.filter(pair=pair).values_list("rater_id", flat=True)
        free = [rater for rater in raters if rater.pk not in set(seen)]
        if free and pair.pk not in waiting:
            _rate(study, pair, free[0], row["preference"])


def _repeat(pair: ShadowPair, text: str) -> RepeatPair:
    first = pair.expensive
    content = [{"type": "text", "text": text}]
    body = {"type": "message", "role": "assistant", "model": first.model, "content": content}
    usage = Usage(first.input_tokens or 0, len(text) // 4)
    reply = Reply(json.dumps(body).encode(), text, first.model, "end_turn", usage, 900.0)
    fields = records.completion_fields(reply, first.provider, first.cost_usd)
    second = Completion.objects.create(
        request_id=pair.request_id, tier=Tier.EXPENSIVE.value, ordinal=Completion.SECOND,
        is_shadow=True, **fields,
    )  # fmt: skip
    return RepeatPair.objects.create(request_id=pair.request_id, pair=pair, second=second)


def _rate(study: Study, pair: ShadowPair, rater: Rater, preference: str) -> None:
    slot = Slot.objects.create(
        study=study, pair=pair, rater=rater, kind=Slot.Kind.AGAIN, ordinal=0, order=0,
        state=Slot.State.DONE,
    )  # fmt: skip
    is_left = sampling.uniform("left", pair.request_id) < 0.5
    shown = Presentation.objects.create(
        token=uuid4(), slot=slot, rater=rater, guideline=guidance.current(study),
        left=(Tier.EXPENSIVE if is_left else Tier.CHEAP).value,
    )  # fmt: skip
    choice = (_LEFT if is_left else _RIGHT)[preference]
    Rating.objects.create(
        presentation=shown, choice=choice, left_adequate=True, right_adequate=True, seconds=25.0
    )
