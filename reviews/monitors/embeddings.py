"""Whether questions are about what they were about in the study's window, by their vectors."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import numpy as np
from django.db.models import F, QuerySet
from django.db.models.fields import TextField
from django.db.models.functions import MD5, Cast
from scipy.spatial import distance

from reviews.monitors.base import MOST_TYPICAL, YOUNG, Monitor, Seen, nothing, said
from reviews.monitors.watched import Watched
from reviews.stats import watch
from routing import embedders
from routing.embedders import ids
from routing.models import Request

#: Of each side: a classifier that tells them apart at all does so with these.
_MOST = 500
#: Among so many pairs, spread over the whole window, there are enough with a text.
_MOST_PAIRS = 5000


def read(watched: Watched) -> Seen:
    """Compare questions of the last seven days with those of the study."""
    if not watched.has_week:
        return nothing(YOUNG)
    before, now = (_vectors(rows) for rows in (_before(watched), _now(watched)))
    fewest = min(len(before), len(now))
    if fewest < watch.FEWEST_ROWS:
        return nothing(f"{fewest} questions with a text on one side: too few to compare.", len(now))
    signal = watch.embeddings(before, now, _rng(watched))
    return Seen(signal, _sentence(signal))


def typical(watched: Watched) -> list[UUID]:
    """Return the questions of the last seven days that are the least like any of the study's."""
    rows = list(_now(watched))
    before, now = _vectors(_before(watched)), _vectors(rows)
    if not len(before) or not len(now):
        return []
    nearest = distance.cdist(now, before, "cosine").min(axis=1)
    return [rows[place].pk for place in np.argsort(-nearest, kind="stable")[:MOST_TYPICAL]]


def _before(watched: Watched) -> QuerySet[Request]:
    """Return questions of the study, each as often as requests like it came."""
    if watched.reference is None:
        return Request.objects.none()
    pairs = watched.reference.pair_id[watched.reference.pair_id > 0]
    some = pairs[:: max(pairs.size // _MOST_PAIRS, 1)]
    return _some(Request.objects.filter(pair__in=some.tolist()))


def _now(watched: Watched) -> QuerySet[Request]:
    return _some(Request.objects.filter(pk__in=watched.decided(watched.week).values("pk")))


def _some(rows: QuerySet[Request]) -> QuerySet[Request]:
    """Return some rows that have a text, by a hash of their number: the same each time."""
    there = rows.exclude(query="").annotate(at=MD5(Cast(F("pk"), TextField())))
    return there.order_by("at").only("pk", "query")[:_MOST]


def _vectors(rows: Iterable[Request]) -> np.ndarray:
    embedder = embedders.get(ids.STATIC)
    made = [embedder.embed(row.query) for row in rows]
    return np.stack(made) if made else np.empty((0, embedders.dimensions(ids.STATIC)))


def _rng(watched: Watched) -> np.random.Generator:
    """Return draws of a day: read twice, it says the same."""
    return np.random.default_rng([watched.signed.pk, watched.end.toordinal()])


def _sentence(signal: watch.Signal) -> str:
    n = f"{signal.n:,} questions of the last seven days"
    figures = f"AUC {signal.value or 0:.2f}, limit {signal.limit or 0:.2f}"
    return said(
        signal,
        f"{n}: too few to compare.",
        f"A classifier tells {n} from the study’s ({figures}).",
        f"No classifier tells {n} from the study’s ({figures}).",
    )


MONITOR = Monitor(
    "embeddings", "Questions",
    "Vectors of questions of the last seven days against those of the study, five hundred of each.",
    "AUC: how well a classifier tells new questions from old; .5 is not at all.",
    read, typical,
)  # fmt: skip
