"""One label for each pair, with where it comes from: what routers are trained on.

People beat judges, and judges beat heuristics. Pairs that were drawn to calibrate are left out, in
whichever study it was: Postgres refuses to train on them, see `models.triggers`. Nothing here
writes, and nothing here has seen a router. Why it is so: docs/adr/0035.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import QuerySet

from reviews import memo, sources
from reviews.models import SampledPair
from reviews.sources import Said
from reviews.stats import agreement as coefficients
from reviews.stats import intervals
from routing.models import Project, Request, ShadowPair

#: Pairs of which a page asks at once whether somebody spoke of them.
_LOOKED_AT = 2_000
_RANK = {source: place for place, source in enumerate(sources.ALL)}

# What a draw to train brings in stands for as many pairs as were not drawn. Everything is looked up
# by its key, pair by pair (OFFSET keeps each look-up by itself): where Postgres takes tables for
# empty that were filled since it looked, it joined them by comparing every row with every other.
_DETAILS = """
SELECT pair.id, pair.request_id, request.query, request.received_at::text, pair.task, pair.rate,
    cheap.model, expensive.model, draw.probability
FROM unnest(%(pairs)s::bigint[]) AS asked (id)
CROSS JOIN LATERAL (SELECT * FROM routing_shadowpair WHERE id = asked.id OFFSET 0) AS pair
CROSS JOIN LATERAL (
    SELECT query, received_at FROM routing_request WHERE id = pair.request_id OFFSET 0
) AS request
CROSS JOIN LATERAL (
    SELECT model FROM routing_completion WHERE id = pair.cheap_id OFFSET 0
) AS cheap
CROSS JOIN LATERAL (
    SELECT model FROM routing_completion WHERE id = pair.expensive_id OFFSET 0
) AS expensive
CROSS JOIN LATERAL (
    SELECT max(least(study.train_rate, 1 - inclusion_probability)) AS probability
    FROM reviews_sampledpair AS draw JOIN reviews_study AS study ON study.id = draw.study_id
    WHERE draw.pair_id = pair.id AND study.project_id = %(project)s
        AND selected AND purpose = 'train'
) AS draw
"""


class Label(NamedTuple):
    """How well both answers of a pair do, by the strongest source that speaks of it.

    Attributes:
        source: human, judge or proxy.
        cheap_ok: how well the cheap answer does, in [0, 1].
        expensive_ok: the same of the expensive one.
        weight: how many requests the pair stands for; see `_weight`.
        said: what all sources say, the believed one first.
    """

    pair_id: int
    request_id: UUID
    query: str
    received_at: datetime
    task: str
    source: str
    cheap_ok: float
    expensive_ok: float
    weight: float
    said: Sequence[Said]
    cheap_model: str
    expensive_model: str

    @property
    def provenance(self) -> dict[str, Any]:
        """Return, ready for JSON, who or what said it, when, and which sources it overrules."""
        one, *others = self.said
        told: dict[str, Any] = {"source": one.source, "how": one.how, "by": list(one.by)}
        told["at"] = one.at and one.at.isoformat()
        return told | {"overruled": [_briefly(other) for other in others if one.differs(other)]}


class Conflict(NamedTuple):
    """A pair on which sources say different things; the first of them is believed."""

    pair_id: int
    request_id: UUID
    query: str
    received_at: datetime
    task: str
    said: tuple[Said, ...]


class Counts(NamedTuple):
    """How many labels a project has.

    Attributes:
        by_source: labels, by the source that is believed; every source is named.
        spoken: pairs of which each source says something, believed or not.
        by_heuristic: labels of each heuristic.
        conflicts: pairs on which sources say different things.
        left_out: pairs that were drawn to calibrate.
        needs: labels whose cheap answer is not good enough.
        newest: when a person or a judge last spoke.
    """

    by_source: dict[str, int]
    spoken: dict[str, int]
    by_heuristic: dict[str, int]
    conflicts: int
    left_out: int
    needs: int
    newest: datetime | None

    @property
    def total(self) -> int:
        """Return the number of labels."""
        return sum(self.by_source.values())


class Agreement(NamedTuple):
    """How often two sources say the same of the cheap answer, where both are sure.

    Attributes:
        n: pairs on which both are.
        share: of these, on which they agree; `low` and `high` bound it (95 %, Wilson).
        kappa: Cohen's, beyond chance; None where nobody ever said anything else.
    """

    one: str
    other: str
    n: int
    share: float
    low: float
    high: float
    kappa: float | None


def collect(
    project: Project,
    sources: Sequence[str] = sources.ALL,
    since: datetime | None = None,
    until: datetime | None = None,
    tasks: Collection[str] = (),
    most: int | None = None,
) -> list[Label]:
    """Return one label for each pair, in request order.

    Args:
        project: whose pairs.
        sources: human, judge, proxy: which are asked.
        since: only requests received then or later.
        until: only requests received before.
        tasks: only requests of these task types; of all when empty.
        most: only so many, of the strongest source first, the newest of it: the newest of all
            would be heuristics, which speak of so many pairs.
    """
    said = _read(project, sources, since, until)
    rows = ShadowPair.objects.filter(pk__in=list(said), task__in=tasks)
    chosen = set(rows.values_list("pk", flat=True)) if tasks else said.keys()
    ids = [pk for pk in said if pk in chosen]
    return _labels(project, ids if most is None else _strongest(ids, said, most), said)


def _strongest(ids: Sequence[int], said: dict[int, list[Said]], most: int) -> list[int]:
    """Return so many pairs, in the order in which they are."""
    ranked = sorted(range(len(ids)), key=lambda at: (_RANK[said[ids[at]][0].source], -at))
    return [ids[at] for at in sorted(ranked[:most])]


def of_pairs(project: Project, ids: Sequence[int]) -> list[Label]:
    """Return the labels of some pairs, none of which may have been drawn to calibrate."""
    said = sources.of_pairs(project, ids)
    return _labels(project, list(said), said)


class Page(NamedTuple):
    """Some labels, the newest request first, and where the next page goes on; None at the end."""

    labels: list[Label]
    last: tuple[datetime, int] | None


def page(
    project: Project,
    *,
    hidden: QuerySet[ShadowPair],
    asked: Sequence[str] = sources.ALL,
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    most: int,
) -> Page:
    """Return some labels, the newest request first, without reading the others.

    Args:
        project: whose pairs.
        hidden: pairs that are left out.
        asked: the sources that are asked.
        since: only requests received then or later.
        until: only requests received before.
        before: where the page before this one ended.
        most: labels of a page.
    """
    found: list[Label] = []
    while len(found) <= most:
        ids = sources.pairs(project, since=since, until=until, before=before, most=_LOOKED_AT)
        said = without(sources.of_pairs(project, ids, asked), hidden)
        found += _labels(project, list(said)[: most + 1 - len(found)], said)
        if len(ids) < _LOOKED_AT:
            break
        before = (_received(ids[-1]), ids[-1])
    shown = found[:most]
    is_more = len(found) > most
    return Page(shown, (shown[-1].received_at, shown[-1].pair_id) if is_more else None)


def _received(pair_id: int) -> datetime:
    return Request.objects.values_list("received_at", flat=True).get(pair=pair_id)


def without(said: dict[int, list[Said]], hidden: QuerySet[ShadowPair]) -> dict[int, list[Said]]:
    """Return what is said of the pairs that are not hidden."""
    gone = set(hidden.filter(pk__in=list(said)).values_list("pk", flat=True)) if said else set()
    return {pair_id: some for pair_id, some in said.items() if pair_id not in gone}


def _read(
    project: Project, asked: Sequence[str], since: datetime | None, until: datetime | None
) -> dict[int, list[Said]]:
    return sources.read(project, tuple(asked), since, until)


def _labels(project: Project, ids: Sequence[int], said: dict[int, list[Said]]) -> list[Label]:
    found = _details(project, ids)
    return [_label(found[pk], said[pk]) for pk in ids if pk in found]


def _details(project: Project, ids: Sequence[int]) -> dict[int, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_DETAILS, {"project": project.pk, "pairs": sources.array(ids)})
        return {row[0]: row for row in cursor.fetchall()}


def _label(row: Any, said: Sequence[Said]) -> Label:
    pair_id, request_id, query, received, task, rate, cheap, expensive, drawn = row
    one, at = said[0], datetime.fromisoformat(received)
    return Label(
        pair_id, request_id, query, at, task, one.source, one.cheap_ok, one.expensive_ok,
        _weight(rate, drawn, said), said, cheap, expensive,
    )  # fmt: skip


def _weight(rate: float, drawn: float | None, said: Sequence[Said]) -> float:
    """Return how many requests a pair stands for.

    Those that were not shadowed, and, where nothing but a draw to train brought the pair in, those
    that the draw left out. What another source labels as well would be here without the draw.
    """
    by_draw = drawn is not None and [one.source for one in said] == [sources.HUMAN]
    return 1 / (rate * drawn) if by_draw and drawn else 1 / rate


def _briefly(said: Said) -> dict[str, Any]:
    fits = {"cheap_ok": said.cheap_ok, "expensive_ok": said.expensive_ok}
    return {"source": said.source, "how": said.how, **fits}


def counts(project: Project) -> Counts:
    """Return how many labels there are, by source, and how many pairs are left out."""
    said = _read(project, sources.ALL, None, None)
    first = [some[0] for some in said.values()]
    spoken = Counter(one.source for some in said.values() for one in some)
    by_source = Counter(one.source for one in first)
    times = [one.at for some in said.values() for one in some if one.at and one.source != "proxy"]
    return Counts(
        by_source={source: by_source[source] for source in sources.ALL},
        spoken={source: spoken[source] for source in sources.ALL},
        by_heuristic=dict(Counter(s.how for s in first if s.source == sources.PROXY).most_common()),
        conflicts=sum(_is_conflict(some) for some in said.values()),
        left_out=left_out(project),
        needs=sum(one.cheap_ok < 0.5 for one in first),
        newest=max(times, default=None),
    )


def left_out(project: Project) -> int:
    """Return the number of pairs that never train, since they were drawn to calibrate."""
    drawn = SampledPair.objects.filter(
        pair__project=project, selected=True, purpose=SampledPair.Purpose.CALIBRATE
    )
    return drawn.values("pair").distinct().count()


def _is_conflict(said: Sequence[Said]) -> bool:
    return any(one.differs(other) for one, other in combinations(said, 2))


def conflicting(project: Project) -> list[int]:
    """Return the pairs on which sources say different things, the newest request first."""
    said = _read(project, sources.ALL, None, None)
    return [pair_id for pair_id, some in reversed(said.items()) if _is_conflict(some)]


def conflicts(project: Project, *, first: int = 0, most: int | None = None) -> list[Conflict]:
    """Return pairs on which sources say different things, the newest request first.

    Whoever shows them to a person leaves out what that person may still be asked about.

    Args:
        project: whose pairs.
        first: how many to pass over.
        most: how many to return; all when None.
    """
    there = conflicting(project)
    return conflicts_of(project, there[first : None if most is None else first + most])


def conflicts_of(project: Project, ids: Sequence[int]) -> list[Conflict]:
    """Return what sources say of some of the pairs that `conflicting` names, in their order."""
    said = sources.of_pairs(project, ids)
    found = _details(project, ids)
    return [_conflict(found[pk], said[pk]) for pk in ids if pk in found]


def _conflict(row: Any, said: Sequence[Said]) -> Conflict:
    pair_id, request_id, query, received, task, *_ = row
    received_at = datetime.fromisoformat(received)
    return Conflict(pair_id, request_id, query, received_at, task, tuple(said))


@memo.once
def agreement(project: Project) -> list[Agreement]:
    """Return how often sources agree on whether the cheap answer is good enough."""
    said = _read(project, sources.ALL, None, None)
    rows = [{one.source: one.cheap_ok for one in some} for some in said.values()]
    found = [_agreement(one, other, rows) for one, other in combinations(sources.ALL, 2)]
    return [line for line in found if line.n]


def _agreement(one: str, other: str, rows: Iterable[dict[str, float]]) -> Agreement:
    both = [(row[one], row[other]) for row in rows if one in row and other in row]
    sure = np.array([pair for pair in both if 0.5 not in pair]).reshape(-1, 2) > 0.5
    n, same = len(sure), int((sure[:, 0] == sure[:, 1]).sum())
    low, high = intervals.wilson(same, n)
    kappa = coefficients.cohen(sure.astype(float), [0, 1])
    share = same / n if n else 0.0
    return Agreement(one, other, n, share, low, high, None if np.isnan(kappa) else kappa)
