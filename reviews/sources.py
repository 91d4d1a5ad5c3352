"""What people, judges and heuristics say of a project's pairs, each source pooled into one label.

The bridge from rows to labels. Which source is believed, and what becomes of the others, is said in
`labels`. Gold questions, checks and practice are no verdicts, so none of them is a label; a pair
that nobody could judge has none either. Why: docs/adr/0035.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from reviews import memo, proxies
from reviews.models import Adjudication, JudgeSpec, Rater, TrainingExample, Verdict
from reviews.proxies import Answer, Told
from routing.models import Project

_SOURCES = TrainingExample.Source
HUMAN, JUDGE, PROXY = (source.value for source in _SOURCES)
#: The strongest first: the first that speaks is believed.
ALL = (HUMAN, JUDGE, PROXY)
_P = Verdict.Preference
#: How well both answers do, by a preference alone: the one that lost is not good enough.
_BY_PREFERENCE = {
    _P.CHEAP.value: (1.0, 0.0),
    _P.TIE.value: (1.0, 1.0),
    _P.EXPENSIVE.value: (0.0, 1.0),
    _P.BOTH_BAD.value: (0.0, 0.0),
}
_GROUP = 5_000
_MOST_KEPT = 2_000_000
#: What heuristics say of two texts, which never change: by pair, of this process.
_texts_say: dict[int, Told | None] = {}

_PAIRS = """
SELECT pair.id FROM routing_shadowpair AS pair
JOIN routing_request AS request ON request.id = pair.request_id
WHERE pair.project_id = %(project)s
    AND (%(since)s::timestamptz IS NULL OR request.received_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR request.received_at < %(until)s)
    AND (%(before)s::timestamptz IS NULL
        OR (request.received_at, pair.id) < (%(before)s::timestamptz, %(before_id)s))
    AND NOT EXISTS (SELECT FROM reviews_sampledpair AS draw
        WHERE draw.pair_id = pair.id AND selected AND purpose = 'calibrate')
    AND (NOT %(spoken)s OR pair.id IN (SELECT pair_id FROM reviews_verdict
        UNION ALL SELECT pair_id FROM reviews_adjudication))
ORDER BY request.received_at DESC, pair.id DESC LIMIT %(most)s
"""

_VERDICTS = """
SELECT DISTINCT ON (verdict.pair_id, verdict.rater_id) verdict.pair_id, verdict.rater_id,
    preference, cheap_adequate, expensive_adequate, verdict.created_at::text, verdict.id
FROM reviews_verdict AS verdict
JOIN reviews_study AS study ON study.id = verdict.study_id
JOIN reviews_rater AS rater ON rater.id = verdict.rater_id
WHERE study.project_id = %s AND rater.kind = %s AND verdict.pair_id = ANY(%s::bigint[])
ORDER BY verdict.pair_id, verdict.rater_id, verdict.id DESC
"""

_TEXTS = """
SELECT pair.id, cheap.text, cheap.stop_reason, expensive.text, expensive.stop_reason
FROM routing_shadowpair AS pair
JOIN routing_completion AS cheap ON cheap.id = pair.cheap_id
JOIN routing_completion AS expensive ON expensive.id = pair.expensive_id
WHERE pair.id = ANY(%s::bigint[])
"""

# Of what an application said twice the newest counts, each word by itself.
_FEEDBACK = """
SELECT pair.id,
    (array_agg(thumb ORDER BY feedback.id DESC) FILTER (WHERE thumb <> ''))[1],
    (array_agg(task_completed ORDER BY feedback.id DESC)
        FILTER (WHERE task_completed IS NOT NULL))[1],
    max(feedback.created_at)
FROM routing_feedback AS feedback
JOIN routing_shadowpair AS pair ON pair.request_id = feedback.request_id
JOIN routing_completion AS cheap ON cheap.id = pair.cheap_id
WHERE pair.id = ANY(%s::bigint[]) AND NOT cheap.is_shadow AND NOT cheap.is_probe
GROUP BY pair.id
"""


class Said(NamedTuple):
    """What one source says of one pair.

    Attributes:
        source: human, judge or proxy.
        how: who or what said it, in words: `2 people`, a judge's name, a heuristic's name.
        cheap_ok: how well the cheap answer does, in [0, 1].
        expensive_ok: the same of the expensive one.
        by: ids of raters; none for a heuristic.
        at: when the last of them spoke; None for a heuristic on two texts.
    """

    source: str
    how: str
    cheap_ok: float
    expensive_ok: float
    by: tuple[int, ...] = ()
    at: datetime | None = None

    def differs(self, other: Said) -> bool:
        """Return whether the two put an answer on different sides of one half.

        Exactly one half is on neither side: people who differ, or what is not known.
        """
        pairs = ((self.cheap_ok, other.cheap_ok), (self.expensive_ok, other.expensive_ok))
        return any((one - 0.5) * (another - 0.5) < 0 for one, another in pairs)


class _Verdict(NamedTuple):
    """One rater's newest verdict on a pair."""

    pair_id: int
    rater_id: int
    preference: str
    cheap_adequate: bool | None
    expensive_adequate: bool | None
    written: str
    pk: int

    @property
    def at(self) -> datetime:
        """Return when it was given."""
        return datetime.fromisoformat(self.written)


#: A source's words on a pair.
_Words = Iterator[tuple[int, Said]]


@memo.once
def read(
    project: Project,
    sources: Sequence[str] = ALL,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[int, list[Said]]:
    """Return what is said of each pair, the strongest source first, pairs in request order.

    Pairs that were drawn to calibrate, in whichever study, are left out, as are those of which
    nobody says anything.

    Args:
        project: whose pairs.
        sources: which are asked; the others are as if they had not spoken.
        since: only requests received then or later.
        until: only requests received before.
    """
    ids = pairs(project, since=since, until=until, is_spoken=PROXY not in sources)
    return of_pairs(project, ids[::-1], sources)


def pairs(
    project: Project,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, int] | None = None,
    most: int | None = None,
    is_spoken: bool = False,
) -> list[int]:
    """Return the pairs that may train, whether somebody spoke of them or not, the newest first.

    Args:
        project: whose pairs.
        since: only requests received then or later.
        until: only requests received before.
        before: when the request of a pair was received, and the pair: only those that follow it.
        most: only so many.
        is_spoken: only those of which a rater of any kind said something.
    """
    at, pair_id = before or (None, None)
    given = {"project": project.pk, "since": since, "until": until, "most": most}
    given |= {"before": at, "before_id": pair_id, "spoken": is_spoken}
    return [pk for (pk,) in _rows(_PAIRS, given)]


def of_pairs(
    project: Project, ids: Sequence[int], sources: Sequence[str] = ALL
) -> dict[int, list[Said]]:
    """Return what sources say of some pairs, in their order; those nobody speaks of are left out.

    A fixed number of queries, however many pairs there are.
    """
    found: dict[int, list[Said]] = {pk: [] for pk in ids}
    for source in ALL:
        if source in sources:
            for pair_id, said in _READERS[source](project, ids):
                if pair_id in found and not _has(found[pair_id], source):
                    found[pair_id].append(said)
    return {pair_id: some for pair_id, some in found.items() if some}


def _has(said: Sequence[Said], source: str) -> bool:
    return bool(said) and said[-1].source == source


def array(ids: Iterable[int]) -> str:
    """Return numbers as Postgres writes an array: of many, ten times as fast as the driver.

    Example:
        >>> array([3, 4])
        '{3,4}'
    """
    return f"{{{','.join(map(str, ids))}}}"


def _rows(sql: str, given: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return list(cursor.fetchall())


def _verdicts(
    project: Project, kind: str, ids: Sequence[int]
) -> Iterator[tuple[int, list[_Verdict]]]:
    """Return the newest verdict of each rater of a kind, by pair."""
    by_pair: dict[int, list[_Verdict]] = defaultdict(list)
    for row in _rows(_VERDICTS, [project.pk, kind, array(ids)]):
        by_pair[row[0]].append(_Verdict._make(row))
    yield from by_pair.items()


def outcome(
    preference: str, cheap_adequate: bool | None, expensive_adequate: bool | None
) -> tuple[float, float] | None:
    """Return how well both answers do by one verdict; None when it does not say.

    What was asked outright, whether an answer is good enough, comes before what a preference lets
    one conclude. Of an expensive answer that nothing was said of, one half.

    Example:
        >>> outcome("expensive", True, True), outcome("expensive", None, None)
        ((1.0, 1.0), (0.0, 1.0))
        >>> outcome("", False, None), outcome("cannot", None, None)
        ((0.0, 0.5), None)
    """
    cheap, expensive = _BY_PREFERENCE.get(preference, (None, proxies.UNKNOWN))
    cheap = cheap if cheap_adequate is None else float(cheap_adequate)
    expensive = expensive if expensive_adequate is None else float(expensive_adequate)
    if cheap is None or preference == _P.CANNOT:
        return None
    return cheap, expensive


# --- people


def _people(project: Project, ids: Sequence[int]) -> _Words:
    """Return what leads settled, then what people hold on average."""
    settled = Adjudication.objects.filter(study__project=project)
    newest = settled.order_by("pair_id", "-id").distinct("pair_id")
    for row in newest:
        fits = float(row.cheap_adequate), float(row.expensive_adequate)
        how = f"settled by a lead: {row.get_cause_display().lower()}"
        yield row.pair_id, Said(HUMAN, how, *fits, (row.rater_id,), row.created_at)
    for pair_id, verdicts in _verdicts(project, Rater.Kind.HUMAN, ids):
        if said := _pooled(verdicts):
            yield pair_id, said


def _pooled(verdicts: Iterable[_Verdict]) -> Said | None:
    """Return the mean of what people say; None when nobody could judge."""
    held = [(one, fits) for one in verdicts if (fits := outcome(*one[2:5]))]
    if not held:
        return None
    n = len(held)
    cheap, expensive = (sum(fits[side] for _, fits in held) / n for side in (0, 1))
    how = "one person" if n == 1 else f"{n} people"
    by = tuple(one.rater_id for one, _ in held)
    return Said(HUMAN, how, cheap, expensive, by, max(one.at for one, _ in held))


# --- judges


def _judges(project: Project, ids: Sequence[int]) -> _Words:
    """Return what the newest judge says of each pair, where its two orders agree."""
    names = dict(Rater.objects.filter(kind=Rater.Kind.LLM_JUDGE).values_list("pk", "name"))
    specs = JudgeSpec.objects.filter(study__project=project).defer("prompt", "framing", "tool")
    ours = {spec.name: spec.pk for spec in specs.order_by("pk")}
    for pair_id, verdicts in _verdicts(project, Rater.Kind.LLM_JUDGE, ids):
        one = max(verdicts, key=lambda one: (ours.get(names[one.rater_id], 0), one.pk))
        name = names[one.rater_id]
        if fits := _judged(one, is_ours=name in ours):
            yield pair_id, Said(JUDGE, name, *fits, (one.rater_id,), one.at)


def _judged(one: _Verdict, *, is_ours: bool) -> tuple[float, float] | None:
    """Return how well both answers do by a judge.

    A judge that was asked here says of both answers, in both orders, whether they are good enough;
    what is missing is what its orders disagree on.
    """
    if one.preference == _P.SPLIT or (is_ours and None in one[3:5]):
        return None
    return outcome(*one[2:5])


# --- heuristics


def _heuristics(project: Project, ids: Sequence[int]) -> _Words:
    """Return what heuristics say, the surest first."""
    for pair_id, verdicts in _verdicts(project, Rater.Kind.ANSWER_KEY, ids):
        said = max(verdicts, key=lambda one: one.pk)
        if fits := outcome(*said[2:5]):
            yield pair_id, Said(PROXY, "answer_key", *fits, (said.rater_id,), said.at)
    for pair_id, thumb, task_completed, at in _rows(_FEEDBACK, [array(ids)]):
        told = proxies.of_feedback(is_cheap=True, thumb=thumb or "", task_completed=task_completed)
        if told:
            yield pair_id, Said(PROXY, *told, at=at)
    for pair_id, told in _of_texts(ids):
        yield pair_id, Said(PROXY, *told)


def _of_texts(ids: Sequence[int]) -> Iterator[tuple[int, Told]]:
    """Return what heuristics say of the texts of pairs; each pair is read once by a process."""
    known = _texts_say if len(_texts_say) + len(ids) <= _MOST_KEPT else {}
    new: dict[int, Told | None] = {}
    wanted = [pk for pk in ids if pk not in known]
    for at in range(0, len(wanted), _GROUP):
        rows = _rows(_TEXTS, [array(wanted[at : at + _GROUP])])
        for pair_id, cheap, cheap_end, expensive, expensive_end in rows:
            answers = Answer(cheap, cheap_end), Answer(expensive, expensive_end)
            new[pair_id] = proxies.of_answers(*answers)
    if not connection.in_atomic_block:  # what is not committed yet may never be
        known.update(new)
    for pair_id in ids:
        if told := new.get(pair_id, known.get(pair_id)):
            yield pair_id, told


_READERS: dict[str, Callable[[Project, Sequence[int]], _Words]] = {
    HUMAN: _people,
    JUDGE: _judges,
    PROXY: _heuristics,
}
