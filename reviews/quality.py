"""How each rater of a study works: agreement, checks, sides, speed. It says where to look.

Practice never counts. Whole-study figures are in `panels`; what one rater changes is in
`influence`; what is striking is put into words in `flags`.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.db.models import Count, Max

from reviews import checks, votes
from reviews.models import Gold, Presentation, Rater, Skip, Slot, Study
from reviews.stats import conduct, positions
from reviews.stats.intervals import Interval, wilson
from reviews.votes import Vote

_KINDS = Slot.Kind
#: Preferences that take no side.
_NO_SIDE = ("tie", "both_bad")


class Share(NamedTuple):
    """A share of n with its Wilson interval; the share is None where n is 0.

    `hits` need not be whole: of a pair with two others, agreeing with one of them is a half.
    """

    hits: float
    n: int
    share: float | None
    interval: Interval[float]

    @classmethod
    def of(cls, hits: float, n: int) -> Share:
        """Return the share with its interval; [0, 1] without any."""
        return cls(hits, n, hits / n if n else None, Interval(*map(float, wilson(hits, n))))


@dataclass(frozen=True)
class Quality:
    """How one rater works in one study.

    Attributes:
        n: pairs of the sample that they rated.
        agreement: with others, over pairs that others rated too: the mean share who said the same.
        gold: hidden gold pairs answered as agreed.
        repeats: repeated pairs with the same preference by tier.
        flips: repeated pairs on which the same side won although the answers changed places.
        identical: showings of one answer twice on which no side won.
        left: decisive votes of the sample that the left answer won.
        left_p: of "no habit", allowing for all raters looked at; None without decisive votes.
        median_seconds: active time; None where no browser counted any.
        is_hasty: the median lies below a quarter of everybody's.
        unread: ratings faster than anybody reads that much.
        fast: ratings unusually fast among those of this study, or unread.
        skips: showings that they could not judge.
        last_seen: when they were last shown something or said something.
    """

    rater: Rater
    n: int
    agreement: Share
    gold: Share
    repeats: Share
    flips: Share
    identical: Share
    left: Share
    left_p: float | None
    median_seconds: float | None
    is_hasty: bool
    unread: Share
    fast: Share
    skips: int
    last_seen: datetime | None


class _Speed(NamedTuple):
    """One rater's times."""

    median: float | None = None
    is_hasty: bool = False
    unread: int = 0
    fast: int = 0
    n: int = 0


def raters(study: Study) -> list[Quality]:
    """Return everybody who was shown something in the study, by name; a handful of queries."""
    said = votes.of(study)
    seen = _last_shown(study)
    people = Rater.objects.filter(pk__in=seen, kind=Rater.Kind.HUMAN).select_related("user")
    golds = {gold.pair_id: gold for gold in study.golds.filter(retired_at=None)}
    skips = _skips(study)
    alike, sides, speeds = _agreement(said), _sides(said), _speeds(said)
    by_rater: dict[int, list[Vote]] = defaultdict(list)
    for vote in said:
        by_rater[vote.rater_id].append(vote)
    return [
        _quality(
            rater,
            by_rater[rater.pk],
            golds,
            agreement=alike.get(rater.pk, Share.of(0, 0)),
            side=sides.get(rater.pk),
            speed=speeds.get(rater.pk, _Speed()),
            skips=skips[rater.pk],
            last_shown=seen[rater.pk],
        )
        for rater in people.order_by("name", "pk")
    ]


def _last_shown(study: Study) -> dict[int, datetime]:
    shown = Presentation.objects.filter(slot__study=study).values("rater")
    return {row["rater"]: row["last"] for row in shown.annotate(last=Max("shown_at"))}


def _skips(study: Study) -> Counter[int]:
    rows = Skip.objects.filter(presentation__slot__study=study).values("presentation__rater")
    return Counter({row["presentation__rater"]: row["n"] for row in rows.annotate(n=Count("pk"))})


def _quality(
    rater: Rater,
    said: Sequence[Vote],
    golds: dict[int, Gold],
    *,
    agreement: Share,
    side: positions.RaterPosition | None,
    speed: _Speed,
    skips: int,
    last_shown: datetime,
) -> Quality:
    repeats, flips = _repeats(said)
    return Quality(
        rater=rater,
        n=sum(vote.is_sample for vote in said),
        agreement=agreement,
        gold=_gold(said, golds),
        repeats=repeats,
        flips=flips,
        identical=_identical(said),
        left=Share.of(side.left, side.decisive) if side else Share.of(0, 0),
        left_p=side.p_holm if side else None,
        median_seconds=speed.median,
        is_hasty=speed.is_hasty,
        unread=Share.of(speed.unread, speed.n),
        fast=Share.of(speed.fast, speed.n),
        skips=skips,
        last_seen=max([last_shown, *(vote.at for vote in said)]),
    )


def _gold(said: Iterable[Vote], golds: dict[int, Gold]) -> Share:
    """Count hidden gold answered as agreed; gold that was retired judges nobody."""
    asked = [vote for vote in said if vote.kind == _KINDS.GOLD and vote.pair_id in golds]
    right = sum(checks.outcome(golds[vote.pair_id], vote.rating).is_right for vote in asked)
    return Share.of(right, len(asked))


def _repeats(said: Iterable[Vote]) -> tuple[Share, Share]:
    """Count repeats with the same preference, and those where the side stayed instead."""
    rows = list(said)
    first = {vote.pair_id: vote for vote in rows if vote.is_sample}
    twice = [(first[vote.pair_id], vote) for vote in rows if _is_repeat_of(first, vote)]
    same = conduct.repeat_consistency(
        [before.preference for before, _ in twice], [after.preference for _, after in twice]
    )
    # Sides changed places: whoever prefers the same one again has changed their mind with it.
    flips = sum(before.side is not None and before.side == after.side for before, after in twice)
    hits = round(same.share * same.n) if same.n else 0
    return Share.of(hits, same.n), Share.of(flips, same.n)


def _is_repeat_of(first: dict[int, Vote], vote: Vote) -> bool:
    return vote.kind == _KINDS.REPEAT and vote.pair_id in first


def _identical(said: Iterable[Vote]) -> Share:
    """Count identical answers told equal; both bad takes no side either."""
    asked = [vote for vote in said if vote.kind == _KINDS.IDENTICAL]
    return Share.of(sum(vote.preference in _NO_SIDE for vote in asked), len(asked))


def _agreement(said: Iterable[Vote]) -> dict[int, Share]:
    """Return each rater's mean share of others who preferred the same, over shared pairs."""
    by_pair: dict[int, list[Vote]] = defaultdict(list)
    for vote in said:
        if vote.is_sample:
            by_pair[vote.pair_id].append(vote)
    alike: dict[int, list[float]] = defaultdict(list)
    for together in by_pair.values():
        counts = Counter(vote.preference for vote in together)
        for vote in together if len(together) > 1 else ():
            alike[vote.rater_id].append((counts[vote.preference] - 1) / (len(together) - 1))
    return {rater_id: Share.of(sum(shares), len(shares)) for rater_id, shares in alike.items()}


def _sides(said: Iterable[Vote]) -> dict[int, positions.RaterPosition]:
    """Test each rater's decisive votes of the sample; sides of repeats are not drawn by a coin."""
    decisive = [vote for vote in said if vote.is_sample and vote.side]
    left = np.array([vote.side == "left" for vote in decisive], dtype=np.bool_)
    effect = positions.position_effect(left, [vote.rater_id for vote in decisive])
    return {_number(row.rater): row for row in effect.raters}


def _number(rater: object) -> int:
    assert isinstance(rater, int)
    return rater


def _speeds(said: Iterable[Vote]) -> dict[int, _Speed]:
    """Compare each rater's times with everybody's; what no browser counted is left out."""
    timed = [vote for vote in said if vote.seconds > 0]
    who = [vote.rater_id for vote in timed]
    speed = conduct.speed([v.seconds for v in timed], [v.characters for v in timed], who)
    unread = Counter(itertools.compress(who, speed.unread))
    fast = Counter(itertools.compress(who, speed.unread | speed.too_fast))
    return {
        (rater := _number(row.rater)): _Speed(
            row.median_seconds, row.hasty, unread[rater], fast[rater], row.n
        )
        for row in speed.raters
    }
