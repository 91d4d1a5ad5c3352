"""What the raters of a study are like together: agreement, blinding, sides, length, leaks.

Figures may be undefined; then `Figure.words` says why, and no number stands there.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from django.db.models import Count

from reviews.models import OriginGuess, Presentation, Rater, Slot, Study, Verdict
from reviews.stats import agreement, blindness, lengths, positions
from reviews.votes import Vote
from routing.types import Tier

_MOST_TASKS = 12
#: Below both, raters do not agree: statistics.md, "Agreement".
_LOW_ALPHA, _LOW_AC1 = 0.4, 0.6
_BOTH_BAD = 3.0


class Figure(NamedTuple):
    """A number with its interval, or the words why there is none.

    Attributes:
        value: None where it is undefined.
        low: None where there is no interval.
        high: likewise.
        words: why something is missing; empty when nothing is.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    words: str = ""


@dataclass(frozen=True)
class Panel:
    """Agreement on one question.

    Attributes:
        task: type of the questions asked of the models; empty for all.
        alpha_ordinal: None for questions whose answers have no order.
        prevalence: of each answer, by its label; empty when nothing was rated twice.
        n_pairs: pairs with two ratings or more.
        n_ratings: their ratings.
        is_low: both alpha and AC1 are so low that raters do not agree.
    """

    task: str
    percent: Figure
    alpha: Figure
    alpha_ordinal: Figure | None
    ac1: Figure
    prevalence: list[tuple[str, float]]
    n_pairs: int
    n_ratings: int
    is_low: bool


class Question(NamedTuple):
    """A question of the form: its name, all answers with their numbers, and whether in order."""

    name: str
    answers: dict[float, str]
    said: Callable[[Vote], float]
    ordered: Callable[[Vote], float] | None = None


class Asked(NamedTuple):
    """Agreement on one question over all pairs, and by task type."""

    question: str
    overall: Panel
    by_task: list[Panel]


class Leaks(NamedTuple):
    """Pairs of the sample that were shown, and those of them that leak, by tier."""

    n_pairs: int
    by_tier: list[tuple[str, int, list[tuple[str, int]]]]


def _step(vote: Vote) -> float:
    return _BOTH_BAD if vote.step is None else float(vote.step)


def _step_in_order(vote: Vote) -> float:
    return math.nan if vote.step is None else float(vote.step)


_STEPS = {
    -2.0: "cheap much better",
    -1.0: "cheap slightly better",
    0.0: "about equal",
    1.0: "expensive slightly better",
    2.0: "expensive much better",
    _BOTH_BAD: "both bad",
}
_PREFERENCES = {float(place): label for place, (value, label) in enumerate(Verdict.ANSWERS)}
_PLACE = {value: float(place) for place, value in enumerate(Verdict.Preference.values)}

#: "Both bad" is an answer of its own where any two answers are equally far apart. It is left out
#: where they stand in order: in the middle it would agree with "about equal", though one rater
#: would send either answer and the other neither.
QUESTIONS = (
    Question("Preference in five steps", _STEPS, _step, _step_in_order),
    Question("Preference", _PREFERENCES, lambda vote: _PLACE[vote.preference]),
    Question(
        "Is the cheap answer good enough?",
        {1.0: "yes", 0.0: "no"},
        lambda vote: float(vote.cheap_adequate),
    ),
)


def agreements(study: Study, said: Iterable[Vote]) -> list[Asked]:
    """Return the panel of each question over the pairs of the sample with two ratings or more."""
    pairs = shared(said)
    tasks = Counter(together[0].task for together in pairs)
    by_task = {
        task: [together for together in pairs if together[0].task == task]
        for task, _ in tasks.most_common(_MOST_TASKS)
    }
    return [
        Asked(
            question.name,
            _panel(question, pairs, "", study),
            [_panel(question, some, task, study) for task, some in by_task.items()],
        )
        for question in QUESTIONS
    ]


def shared(said: Iterable[Vote]) -> list[list[Vote]]:
    """Return the votes of each pair of the sample that two raters or more rated."""
    by_pair: dict[int, list[Vote]] = defaultdict(list)
    for vote in said:
        if vote.is_sample:
            by_pair[vote.pair_id].append(vote)
    return [together for together in by_pair.values() if len(together) > 1]


def _panel(question: Question, pairs: Sequence[list[Vote]], task: str, study: Study) -> Panel:
    weight = [together[0].weight for together in pairs]
    answers = list(question.answers)
    rng = np.random.default_rng(study.pk)
    found = agreement.panel(_matrix(pairs, question.said), answers, rng, weight)
    ordinal = None
    if question.ordered is not None:
        in_order = [answer for answer in answers if answer != _BOTH_BAD]
        ranks = agreement.panel(_matrix(pairs, question.ordered), in_order, rng, weight)
        ordinal = _figure(ranks.alpha_ordinal, ranks.n_items)
    return Panel(
        task=task,
        percent=_figure(found.percent, found.n_items),
        alpha=_figure(found.alpha_nominal, found.n_items),
        alpha_ordinal=ordinal,
        ac1=_figure(found.ac1, found.n_items),
        prevalence=_labelled(question, found.prevalence) if pairs else [],
        n_pairs=found.n_items,
        n_ratings=found.n_ratings,
        is_low=found.alpha_nominal.value < _LOW_ALPHA and found.ac1.value < _LOW_AC1,
    )


def _labelled(question: Question, shares: Iterable[float]) -> list[tuple[str, float]]:
    return list(zip(question.answers.values(), shares, strict=True))


def _matrix(pairs: Sequence[list[Vote]], said: Callable[[Vote], float]) -> np.ndarray:
    """Return what each rater said of each pair, nan where nothing: (n, R)."""
    raters = sorted({vote.rater_id for together in pairs for vote in together})
    place = {rater: column for column, rater in enumerate(raters)}
    matrix = np.full((len(pairs), len(raters)), np.nan)
    for row, together in enumerate(pairs):
        for vote in together:
            matrix[row, place[vote.rater_id]] = said(vote)
    return matrix


def _figure(estimate: agreement.Estimate, n_pairs: int) -> Figure:
    if not n_pairs:
        return Figure(None, words="Undefined: no pair was rated twice")
    if math.isnan(estimate.value):
        return Figure(None, words="Undefined: everybody said the same")
    if math.isnan(estimate.interval.low):
        return Figure(estimate.value, words="no interval: too few pairs, or too alike")
    return Figure(estimate.value, *estimate.interval)


def guesses(study: Study) -> dict[str, Counter[str]]:
    """Return by rater how many guesses named the expensive side, the other one, or none."""
    asked = OriginGuess.objects.filter(
        presentation__slot__study=study,
        presentation__slot__kind=Slot.Kind.SAMPLE,
        presentation__rater__kind=Rater.Kind.HUMAN,
    )
    told = ("presentation__rater__name", "presentation__left", "guess")
    grouped = asked.values_list(*told).annotate(n=Count("pk")).order_by(*told)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, left, guess, n in grouped:
        counts[name][_told(left, guess)] += n
    return counts


def blinding(study: Study) -> list[tuple[str, Figure, int]]:
    """Return the blinding index of everybody, then of each rater by name, with answers given."""
    counts = guesses(study)
    everybody = sum(counts.values(), Counter[str]())
    return [_index("Everybody", everybody), *(_index(*row) for row in sorted(counts.items()))]


def _told(left: str, guess: str) -> str:
    """Return whether a guess named the expensive side, the other one, or none."""
    if guess == OriginGuess.Guess.UNSURE:
        return "unknown"
    side = OriginGuess.Guess.LEFT if left == Tier.EXPENSIVE else OriginGuess.Guess.RIGHT
    return "right" if guess == side else "wrong"


def _index(name: str, told: Counter[str]) -> tuple[str, Figure, int]:
    index = blindness.blinding_index(told["right"], told["wrong"], told["unknown"])
    if not index.n:
        return name, Figure(None, words="Undefined: nobody was asked yet"), 0
    return name, Figure(index.value, *index.interval), index.n


def position(said: Iterable[Vote]) -> tuple[Figure, int]:
    """Return the share of decisive votes that the left answer won, and how many there are."""
    decisive = _decisive(said)
    left = np.array([vote.side == "left" for vote in decisive], dtype=np.bool_)
    effect = positions.position_effect(left, [vote.rater_id for vote in decisive])
    if not decisive:
        return Figure(None, words="Undefined: no vote was decisive"), 0
    if len(effect.raters) < 2:
        return Figure(effect.share_left, words="no interval: one rater says nothing of raters"), (
            effect.n_decisive
        )
    return Figure(effect.share_left, *effect.interval), effect.n_decisive


def _decisive(said: Iterable[Vote]) -> list[Vote]:
    return [vote for vote in said if vote.is_sample and vote.side]


def length(said: Iterable[Vote]) -> tuple[Figure, int]:
    """Return by how much twice the length multiplies the odds of winning, and the votes used."""
    decisive = [vote for vote in _decisive(said) if not math.isnan(vote.log_length_ratio)]
    won = np.array([vote.preference == "expensive" for vote in decisive], dtype=np.bool_)
    ratio = [vote.log_length_ratio for vote in decisive]
    effect = lengths.length_effect(won, ratio, [vote.rater_id for vote in decisive])
    if math.isnan(effect.coefficient):
        return Figure(None, words="Undefined: too few votes, or lengths too alike"), effect.n
    odds = 2**effect.coefficient
    if math.isnan(effect.low):
        return Figure(odds, words="no interval: one rater says nothing of raters"), effect.n
    return Figure(odds, 2**effect.low, 2**effect.high), effect.n


def leaks(study: Study) -> Leaks:
    """Count the pairs shown whose answers held what could tell the model, by tier and kind."""
    shown = Presentation.objects.filter(slot__study=study, slot__kind=Slot.Kind.SAMPLE)
    pairs: dict[str, dict[int, set[str]]] = {tier.value: defaultdict(set) for tier in Tier}
    for pair_id, found in shown.exclude(leaks={}).values_list("slot__pair_id", "leaks"):
        for tier, kinds in found.items():
            pairs[tier][pair_id].update(kinds)
    by_tier = [
        (tier, len(some), Counter(kind for kinds in some.values() for kind in kinds).most_common())
        for tier, some in pairs.items()
    ]
    return Leaks(shown.aggregate(n=Count("slot__pair", distinct=True))["n"], by_tier)
