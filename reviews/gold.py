"""Gold pairs: which there are, how raters did on them, which would make good ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from reviews import checks, guidance, opinions
from reviews.errors import BadInput, Conflict
from reviews.models import Adjudication, Gold, Presentation, Rater, Reveal, Slot, Study, Verdict
from reviews.opinions import Answer
from routing.models import ShadowPair

#: So many people who say the same make an answer known.
ENOUGH = 3
_ANSWERS = ("cheap", "tie", "expensive", "both_bad")
#: Of what is a matter of taste, or of a bad question or answer, no answer is known.
_TEACHES = (
    Adjudication.Cause.SLIP,
    Adjudication.Cause.GUIDELINE,
    Adjudication.Cause.KNOWLEDGE,
)
_QUERY_CHARS = 120
_MOST_SUGGESTED = 50
_MOST_EXPLANATION = 5_000


@dataclass(frozen=True)
class Row:
    """One gold pair as leads see it.

    Attributes:
        is_known: whether the person who looks may see the answer: they rated the pair, settled it
            or had it revealed. Others would know it when it comes to them.
        is_waiting: whether a slot of the sample waits for it, so that it is not used yet.
        right: ratings of it, as practice or hidden check, that missed nothing of what is known.
        n: all such ratings: of practice the first, since feedback follows it; else the newest.
    """

    gold: Gold
    query: str
    is_known: bool
    is_waiting: bool
    right: int
    n: int


class Suggestion(NamedTuple):
    """A pair whose answer is known well enough, and by whom."""

    pair: ShadowPair
    answer: Answer
    source: str

    @property
    def query(self) -> str:
        """Return the beginning of the question."""
        return _query(self.pair)


def add(
    study: Study, pair: ShadowPair, by: User, *, use: str, answer: Answer, explanation: str = ""
) -> Gold:
    """Write a gold pair of a study.

    A slot of the sample that is open for the pair stays open, and the pair is neither practice nor
    a hidden check until it is rated: whoever saw it as one could not rate it any more, and a pair
    that everybody has practised on would hold up the queue, behind which nothing counts
    (`checks.waiting`). For the same reason only pairs of the frame can be gold: of others nobody
    knows yet whether they will be drawn. The verdicts of a drawn pair stay evidence.

    Raises:
        BadInput: when the use or the answer is none, or the explanation is too long or gives away
            which answer is which.
        Conflict: when it is gold already, or was, or is no pair of this study.
    """
    if use not in Gold.Use.values or answer.preference not in _ANSWERS:
        raise BadInput("Say what the pair is for, and which answer is better.")
    if len(explanation) > _MOST_EXPLANATION:
        raise BadInput(f"An explanation holds at most {_MOST_EXPLANATION:,} characters.")
    guidance.check_blind(study, explanation)
    if not study.sample.filter(pair=pair).exists():
        raise Conflict("This pair is not in the frame of that study.")
    try:
        with transaction.atomic():
            return Gold.objects.create(
                study=study, pair=pair, use=use, explanation=explanation.strip(), created_by=by,
                **answer._asdict(),
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("This pair is gold in that study already, or was and is retired.") from None


def retire(gold: Gold) -> None:
    """Use a gold pair no more; what was said of it stays. Again is no error."""
    Gold.objects.filter(pk=gold.pk, retired_at=None).update(retired_at=timezone.now())


def rows(study: Study, viewer: Rater) -> list[Row]:
    """Return the study's gold pairs, in use first, with how raters did."""
    golds = list(study.golds.select_related("pair__request"))
    known = known_to(viewer, study)
    waiting = set(checks.waiting(study).values_list("pair_id", flat=True))
    right, n = _results(golds)
    found = [
        Row(
            gold, _query(gold.pair), gold.pair_id in known, gold.pair_id in waiting,
            right[gold.pk], n[gold.pk],
        )
        for gold in golds
    ]  # fmt: skip
    return sorted(found, key=lambda row: (row.gold.retired_at is not None, row.gold.pk))


def known_to(viewer: Rater, study: Study) -> set[int]:
    """Return the pairs of a study of which nothing is lost when the viewer learns the answer."""
    said = Verdict.objects.filter(rater=viewer, study=study).values_list("pair_id", flat=True)
    seen = Reveal.objects.filter(rater=viewer).values_list("pair_id", flat=True)
    settled = Adjudication.objects.filter(rater=viewer, study=study)
    return {*said, *seen, *settled.values_list("pair_id", flat=True)}


def _results(golds: list[Gold]) -> tuple[Counter[int], Counter[int]]:
    """Return by gold how many showings as a check were right, and how many there were."""
    by_place = {(gold.study_id, gold.pair_id): gold for gold in golds}
    shown = Presentation.objects.filter(
        slot__study__in={gold.study_id for gold in golds},
        slot__pair__in={gold.pair_id for gold in golds},
        slot__kind__in=[Slot.Kind.PRACTICE, Slot.Kind.GOLD],
    )
    right, n = Counter[int](), Counter[int]()
    for one in shown.select_related("slot").prefetch_related("ratings__presentation"):
        gold = by_place[one.slot.study_id, one.slot.pair_id]
        said = sorted(one.ratings.all(), key=lambda rating: rating.pk)
        if said:
            n[gold.pk] += 1
            counted = said[0] if one.slot.kind == Slot.Kind.PRACTICE else said[-1]
            right[gold.pk] += checks.outcome(gold, counted).is_right
    return right, n


def suggestions(study: Study) -> list[Suggestion]:
    """Return pairs that would make good gold: settled by a lead, or alike to three people or more.

    What a lead settled goes before what raters say, and leaves the list when its cause was taste,
    the question or a broken answer.
    """
    gold = set(study.golds.values_list("pair_id", flat=True))
    settled = {row.pair_id: row for row in study.adjudications.order_by("id")}
    found: dict[int, tuple[Answer, str]] = {}
    for pair_id, said in opinions.by_pair(study).items():
        answer = opinions.common(said)
        if len(said) >= ENOUGH and answer and answer.preference in _ANSWERS:
            found[pair_id] = (answer, f"{len(said)} raters agree")
    for pair_id, row in settled.items():
        found.pop(pair_id, None)
        if row.cause in _TEACHES:
            answer = Answer(row.preference, row.cheap_adequate, row.expensive_adequate)
            found[pair_id] = (answer, "settled by a lead")
    chosen = [pair_id for pair_id in sorted(found) if pair_id not in gold][:_MOST_SUGGESTED]
    pairs = ShadowPair.objects.select_related("request").in_bulk(chosen)
    return [Suggestion(pairs[pair_id], *found[pair_id]) for pair_id in chosen]


def accept(study: Study, pair_id: int, by: User, use: str) -> Gold:
    """Make a suggested pair gold, with what is known of it now.

    Raises:
        Conflict: when it is no longer suggested.
    """
    found = next((one for one in suggestions(study) if one.pair.pk == pair_id), None)
    if found is None:
        raise Conflict("This pair is no longer suggested: it is gold by now, or somebody differs.")
    return add(study, found.pair, by, use=use, answer=found.answer)


def _query(pair: ShadowPair) -> str:
    return " ".join(pair.request.query.split())[:_QUERY_CHARS]
