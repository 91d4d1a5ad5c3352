"""What several people hold of one pair: whether they agree, and how badly they do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import NullIf

from reviews.models import Adjudication, Rater, Rating, Study, Verdict

_STRONG = {Rating.Choice.A_MUCH, Rating.Choice.B_MUCH, Rating.Choice.BOTH_BAD}
_SIDES = {Verdict.Preference.CHEAP, Verdict.Preference.EXPENSIVE}
_REVERSED, _HALF, _ADEQUACY = 3, 2, 1


class Answer(NamedTuple):
    """A preference and both adequacies, by tier; an adequacy is None where nothing was said."""

    preference: str
    cheap_adequate: bool | None
    expensive_adequate: bool | None


class Opinion(NamedTuple):
    """One person's newest verdict on a pair; `rating_id` is None for an imported label."""

    rater_id: int
    answer: Answer
    is_strong: bool
    rating_id: int | None


def by_pair(study: Study, pairs: Collection[int] | None = None) -> dict[int, list[Opinion]]:
    """Return people's newest verdicts by pair, in the order in which they were said.

    Who could not judge a pair has no opinion of it.

    Args:
        study: whose verdicts.
        pairs: only these; all when None.
    """
    rows = Verdict.objects.filter(study=study)
    rows = rows if pairs is None else rows.filter(pair_id__in=pairs)
    found: dict[int, list[Opinion]] = defaultdict(list)
    for row in _held(rows).order_by("pk").select_related("rating"):
        answer = Answer(row.preference, row.cheap_adequate, row.expensive_adequate)
        is_strong = row.rating is not None and row.rating.choice in _STRONG
        found[row.pair_id].append(Opinion(row.rater_id, answer, is_strong, row.rating_id))
    return dict(found)


def _held(rows: QuerySet[Verdict]) -> QuerySet[Verdict]:
    """Return of people's verdicts the newest of each on a pair, where it is an opinion."""
    one = ("study_id", "pair_id", "rater_id")
    people = rows.filter(rater__kind=Rater.Kind.HUMAN)
    newest = people.order_by(*one, "-id").distinct(*one)
    said = Verdict.objects.filter(pk__in=newest.values("pk"))
    return said.exclude(preference=Verdict.Preference.CANNOT)


def in_dispute() -> set[int]:
    """Return the pairs on which people disagree in some study that has not settled them.

    One query, whatever there is; it finds what `disagreement` puts above 0.
    """
    same = {"study": OuterRef("study"), "pair": OuterRef("pair")}
    open_ = _held(Verdict.objects.all()).exclude(Exists(Adjudication.objects.filter(**same)))
    counted = open_.order_by().values("study_id", "pair_id").annotate(
        preferences=Count(NullIf("preference", Value("")), distinct=True),
        cheap=Count("cheap_adequate", distinct=True),
        expensive=Count("expensive_adequate", distinct=True),
    )  # fmt: skip
    differ = counted.filter(Q(preferences__gt=1) | Q(cheap__gt=1) | Q(expensive__gt=1))
    return set(differ.values_list("pair_id", flat=True))


def disagreement(opinions: Sequence[Opinion]) -> float:
    """Return how badly people disagree on a pair; 0 when they do not, or only one spoke.

    3 when one prefers CHEAP and another EXPENSIVE, 2 for other unlike preferences, 1 when only
    adequacy differs. To that comes the share of strong words (much better, both bad), less than 1,
    so that they order pairs of one kind and never lift one above a worse kind.

    Example:
        >>> a, b = Answer("cheap", True, True), Answer("expensive", True, True)
        >>> round(disagreement([Opinion(1, a, False, None), Opinion(2, b, True, None)]), 2)
        3.33
    """
    kind = _kind([one.answer for one in opinions])
    strong = sum(one.is_strong for one in opinions)
    return kind + strong / (len(opinions) + 1) if kind else 0.0


def _kind(answers: Sequence[Answer]) -> int:
    preferences = {answer.preference for answer in answers} - {""}
    if preferences >= _SIDES:
        return _REVERSED
    if len(preferences) > 1:
        return _HALF
    fits = zip(*(answer[1:] for answer in answers), strict=True)
    return _ADEQUACY if any(len(set(side) - {None}) > 1 for side in fits) else 0


def common(opinions: Sequence[Opinion]) -> Answer | None:
    """Return what everybody says of a pair; None when they differ or nobody named a preference."""
    answers = [one.answer for one in opinions]
    preferences = {answer.preference for answer in answers} - {""}
    if _kind(answers) or not preferences:
        return None
    cheap, expensive = (
        next((fits for fits in side if fits is not None), None)
        for side in zip(*(answer[1:] for answer in answers), strict=True)
    )
    return Answer(preferences.pop(), cheap, expensive)


def overrules(answer: Answer, opinions: Sequence[Opinion]) -> bool:
    """Return whether an answer says something, of preference or adequacy, that nobody said."""
    for place, value in enumerate(answer):
        said = {one.answer[place] for one in opinions} - {"", None}
        if said and value not in said:
            return True
    return False
