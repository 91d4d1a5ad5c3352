"""What a worse answer is to be blamed on: on what was found, or on the model that answered.

Of a share of the pairs EXPENSIVE answered on another retrieval, too. People compare both of its
answers blind, handed out among the sample, see `asides`. Where the cheap answer lost and the one on
the other retrieval is better than the one on what was served, retrieval is at fault.
Source: statistics.md in docs, section "Blame".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db.models import QuerySet

from reviews import asides, blinding
from reviews.models import Rater, Slot, Study, Verdict
from reviews.stats import intervals
from routing import records
from routing.models import Retrieval, RetrievalPair, ShadowJob
from routing.types import Tier

_PREFERENCE = Verdict.Preference
ASIDE = asides.Aside(Slot.Kind.RETRIEVAL.value, RetrievalPair, turn="elsewhere", place="retrieval")


class Share(NamedTuple):
    """A share with its Wilson interval at 95 %; of nothing, none."""

    n: int
    share: float | None = None
    low: float | None = None
    high: float | None = None


class Row(NamedTuple):
    """Pairs that were answered on two retrievals and compared.

    Attributes:
        name: the strategy that was served, or which pairs these are.
        retrieval: share in which the answer on the other retrieval is the better one.
        generation: share in which it is not: the better model helped, and other sources did not.
        n_neither: in which both answers are bad: nothing is said of these.
        n_same: pairs besides, of which the other strategy found the same.
    """

    name: str
    n: int
    retrieval: Share
    generation: Share
    n_neither: int
    n_same: int


class Blame(NamedTuple):
    """What people said of pairs with retrieval; every pair weighs the same.

    Attributes:
        lost: of pairs on which the cheap answer lost.
        by_strategy: the same by the strategy that was served.
        compared: of all that were compared, whoever won.
        supported: by tier, how often sources support an answer, where somebody said.
        n_waiting: pairs that have both answers and may still be compared; none once it is closed.
    """

    lost: Row
    by_strategy: list[Row]
    compared: Row
    supported: dict[str, Share]
    n_waiting: int

    @property
    def rows(self) -> list[Row]:
        """Return the table: each strategy, and all where there are several."""
        return [*self.by_strategy, self.lost] if len(self.by_strategy) > 1 else self.by_strategy


def due(study: Study, rater: Rater) -> Slot | None:
    """Write and return the pair on two retrievals that is the rater's turn, if one is.

    Pairs on which somebody called the cheap answer worse come first: only they are to be blamed
    on something.
    """
    return asides.due(
        study, rater, ASIDE, first=_people(study, _PREFERENCE.EXPENSIVE).values("pair")
    )


def of(study: Study) -> Blame | None:
    """Return what is to be blamed; None where nothing was looked up for any pair of the study."""
    if not Retrieval.objects.filter(request__pair__draws__study=study).exists():
        return None
    said = {
        row.presentation.slot.pair_id: blinding.meaning(row).preference
        for row in asides.newest(study, ASIDE)
    }
    lost = _lost(study)
    same = _same(lost)
    served = _served({*said, *same})
    return Blame(
        lost=_row("all", said, same, lost),
        by_strategy=_by_strategy(said, same, lost, served),
        compared=_row("compared", said, (), {*said}),
        supported={tier.value: _supported(study, tier) for tier in Tier},
        n_waiting=_n_waiting(study),
    )


def _n_waiting(study: Study) -> int:
    if study.state != Study.State.RUNNING:
        return 0
    ended = (Slot.State.DONE, Slot.State.GIVEN_UP)
    over = study.slots.filter(kind=ASIDE.kind, state__in=ended).values("pair_id")
    there = RetrievalPair.objects.filter(pair__draws__study=study)
    return there.exclude(pair_id__in=over).count()


def _by_strategy(
    said: Mapping[int, str], same: Collection[int], lost: set[int], served: Mapping[int, str]
) -> list[Row]:
    pairs = defaultdict(set)
    for pair, strategy in served.items():
        pairs[strategy].add(pair)
    return [_row(name, said, same, mine & lost) for name, mine in sorted(pairs.items())]


def _row(name: str, said: Mapping[int, str], same: Iterable[int], pairs: set[int]) -> Row:
    """Return what was said of some pairs; the other retrieval's answer stands in CHEAP's place."""
    told = Counter(preference for pair, preference in said.items() if pair in pairs)
    n, better, neither = told.total(), told[_PREFERENCE.CHEAP], told[_PREFERENCE.BOTH_BAD]
    shares = _share(better, n), _share(n - better - neither, n)
    return Row(name, n, *shares, neither, sum(pair in pairs for pair in same))


def _share(hits: int, n: int) -> Share:
    if not n:
        return Share(0)
    low, high = intervals.wilson(float(hits), float(n))
    return Share(n, hits / n, float(low), float(high))


def _people(study: Study, *preferences: str) -> QuerySet[Verdict]:
    rows = Verdict.objects.filter(study=study, rater__kind=Rater.Kind.HUMAN)
    return rows.filter(preference__in=preferences) if preferences else rows


def _lost(study: Study) -> set[int]:
    """Return the pairs of which most people, by their newest words, call the cheap answer worse."""
    one = ("pair_id", "rater_id")
    rows = _people(study).exclude(preference__in=("", _PREFERENCE.CANNOT))
    newest = rows.order_by(*one, "-id").distinct(*one).values_list("pair_id", "preference")
    balance: Counter[int] = Counter()
    for pair, preference in newest:
        balance[pair] += 1 if preference == _PREFERENCE.EXPENSIVE else -1
    return {pair for pair, more in balance.items() if more > 0}


def _same(pairs: Collection[int]) -> set[int]:
    """Return those of the pairs of which the other strategy found the same."""
    jobs = ShadowJob.objects.filter(
        purpose=ShadowJob.Purpose.RETRIEVAL,
        state=ShadowJob.State.SKIPPED,
        reason__startswith=records.SAME_SOURCES,
        request__pair__in=pairs,
    )
    return set(jobs.values_list("request__pair", flat=True))


def _served(pairs: Collection[int]) -> dict[int, str]:
    rows = Retrieval.objects.filter(request__pair__in=pairs)
    return dict(rows.values_list("request__pair", "strategy"))


def _supported(study: Study, tier: Tier) -> Share:
    """Return how often people found an answer supported; of each pair who said it last.

    A correction takes back what it corrects, also where it leaves the question open.
    """
    one = ("pair_id", "rater_id")
    rows = _people(study).order_by(*one, "-id").distinct(*one)
    said = [
        row
        for row in rows.values_list("id", "pair_id", f"{tier.value}_supported")
        if row[2] is not None
    ]
    last = {pair: is_supported for _, pair, is_supported in sorted(said)}
    return _share(sum(last.values()), len(last))
