"""Business outcomes: what applications said became of the answers, by tier and below a threshold.

Feedback is about the answer that was served, so that of each request one tier's outcome is known.
Tiers are compared only within score bands of one task type where both served; elsewhere nothing is
said. Of several words on one request the newest counts, each metric by itself.
Source: statistics.md in docs, section "Outcomes".
"""

from __future__ import annotations

import math
import time
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from django.db import connection

from reviews import frames, sampling
from reviews.choice import Thresholds
from reviews.models import Study
from reviews.stats import contrasts
from reviews.stats.contrasts import Contrast
from routing.types import Reason, Tier

#: What is counted, and what people call it.
METRICS = {"task_completed": "Task completed", "thumb": "Thumb up", "score": "Score"}
_SHARES = ("task_completed", "thumb")
#: The edges of the bands.
THRESHOLDS = [(n + 1) / contrasts.N_BANDS for n in range(contrasts.N_BANDS)]
#: A guardrail speaks for all that is below the threshold: most of it must have been compared.
LEAST_COVERAGE = 0.8
UNKNOWABLE = (
    "Cannot be known from this window: below this threshold no score band of a task type has "
    "enough feedback on both tiers."
)
_NOT_ITS_OWN = (
    "Cannot be known from this window: the scores of another router decided which tier served."
)
#: Where the score decided; what a client or a conversation chose says nothing of scores.
_BY_SCORE = (
    Reason.BELOW_THRESHOLD, Reason.AT_OR_ABOVE_THRESHOLD, Reason.RULE, Reason.ESCALATED,
    Reason.UNFAMILIAR, Reason.TOOLS, Reason.CONTEXT_LENGTH, Reason.UNPRICED,
)  # fmt: skip

# Feedback comes after its request: the bound lets an index leave out what is older than the window.
_ANSWERS = """
SELECT string_agg(float8send(coalesce(score, 'NaN')), '' ORDER BY request_id),
    string_agg(int8send(task), '' ORDER BY request_id),
    string_agg(boolsend(is_cheap), '' ORDER BY request_id),
    string_agg(boolsend(by_score), '' ORDER BY request_id),
    string_agg(boolsend(coalesce(score < threshold, false)), '' ORDER BY request_id),
    string_agg(float8send(coalesce(task_completed, 'NaN')), '' ORDER BY request_id),
    string_agg(float8send(coalesce(thumb, 'NaN')), '' ORDER BY request_id),
    string_agg(float8send(coalesce(said, 'NaN')), '' ORDER BY request_id),
    array_agg(DISTINCT task_name ORDER BY task_name)
FROM (
    SELECT feedback.request_id, decision.score, decision.threshold, request.task AS task_name,
        dense_rank() OVER (ORDER BY request.task) AS task, served.tier = 'cheap' AS is_cheap,
        decision.reason = ANY (%(reasons)s)
            OR decision.reason = %(fallback)s AND decision.score < decision.threshold AS by_score,
        (array_agg(feedback.task_completed::int::float8 ORDER BY feedback.id DESC)
            FILTER (WHERE feedback.task_completed IS NOT NULL))[1] AS task_completed,
        (array_agg((feedback.thumb = 'up')::int::float8 ORDER BY feedback.id DESC)
            FILTER (WHERE feedback.thumb <> ''))[1] AS thumb,
        (array_agg(feedback.score ORDER BY feedback.id DESC)
            FILTER (WHERE feedback.score IS NOT NULL))[1] AS said
    FROM routing_feedback AS feedback
    JOIN routing_request AS request ON request.id = feedback.request_id
    JOIN routing_decision AS decision ON decision.request_id = request.id
    JOIN routing_completion AS served
        ON served.request_id = request.id AND NOT served.is_shadow
    WHERE feedback.created_at >= %(said_since)s AND request.project_id = %(project)s
        AND request.received_at >= %(begin)s AND request.received_at < %(end)s
        AND decision.policy_id = ANY (%(policies)s)
    GROUP BY feedback.request_id, request.task, decision.score, decision.threshold,
        decision.reason, served.tier
) AS answers
"""


class Answers(NamedTuple):
    """The study's requests that have feedback, as arrays of shape (n,).

    Attributes:
        score: of the router; nan where it gave none.
        task: its type, as a number of `frames.task_names`.
        is_cheap: whether CHEAP served.
        by_score: whether the score decided who was asked.
        below: whether the score was below the threshold it was decided by: a failing CHEAP
            that EXPENSIVE stood in for is an outcome of CHEAP.
        task_completed: 0 or 1, nan where nothing was said; so are the others.
        thumb: 1 for up.
        said: the score that was given, in [0, 1].
        unknowable: why nothing can be said where nothing can.
    """

    score: np.ndarray
    task: np.ndarray
    is_cheap: np.ndarray
    by_score: np.ndarray
    below: np.ndarray
    task_completed: np.ndarray
    thumb: np.ndarray
    said: np.ndarray
    unknowable: str = UNKNOWABLE

    def of(self, metric: str) -> np.ndarray:
        """Return the values of a metric, nan where nothing was said.

        Raises:
            KeyError: when there is no such metric.
        """
        return {"task_completed": self.task_completed, "thumb": self.thumb, "score": self.said}[
            metric
        ]


_TYPES = (">f8", ">i8", "?", "?", "?", ">f8", ">f8", ">f8")


class Outcome(NamedTuple):
    """The mean of one metric over the requests that one tier served; None where there is none."""

    metric: str
    tier: str
    n: int
    mean: float | None
    low: float | None
    high: float | None


class Guardrail(NamedTuple):
    """Whether an outcome holds below the thresholds that are chosen.

    Attributes:
        level: "ok", "breached" or "unknown".
    """

    metric: str
    level: str
    text: str


def answers(study: Study) -> Answers:
    """Return the study's feedback, read again at most once a minute: it takes seconds for many."""
    if connection.in_atomic_block:  # what is not committed yet may never be
        return _read(study)
    return _of_minute(study, int(time.monotonic() // 60))


@lru_cache(maxsize=4)
def _of_minute(study: Study, minute: int) -> Answers:
    return _read(study)


def _read(study: Study) -> Answers:
    begin, end = sampling.window(study)
    said: dict[str, Any] = {
        "project": study.project_id, "begin": begin, "end": end,
        "said_since": begin - timedelta(days=1),  # clocks may differ
        "policies": sampling.policies(study), "reasons": [reason.value for reason in _BY_SCORE],
        "fallback": Reason.FALLBACK.value,  # of a client's own choice, too
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERS, said)
        *columns, names = cursor.fetchone()
    found = Answers._make(
        (*(_array(sent, kind) for sent, kind in zip(columns, _TYPES, strict=True)), UNKNOWABLE)
    )
    if study.is_challenge:  # within a band of its scores the tiers served different requests
        nowhere = np.zeros(found.by_score.size, bool)
        found = found._replace(by_score=nowhere, unknowable=_NOT_ITS_OWN)
    return found._replace(task=frames.task_numbers(names or ())[found.task - 1])


def _array(sent: Any, kind: str) -> np.ndarray:
    return np.frombuffer(sent or b"", kind).astype(np.dtype(kind).newbyteorder("="))


def by_tier(study: Study, known: Answers | None = None) -> list[Outcome]:
    """Return each metric by the tier that served; tiers served different questions.

    Args:
        study: whose requests.
        known: what `answers` gave, to read it once.
    """
    known = known or answers(study)
    return [_outcome(known, metric, tier) for metric in METRICS for tier in Tier]


def _outcome(known: Answers, metric: str, tier: Tier) -> Outcome:
    values = known.of(metric)
    mine = values[(known.is_cheap == (tier is Tier.CHEAP)) & ~np.isnan(values)]
    found = contrasts.mean(mine, is_share=metric in _SHARES)
    return Outcome(metric, tier.value, found.n, *map(_known, found[:3]))


def by_threshold(study: Study, known: Answers | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return by metric the difference cheap less expensive below each threshold.

    `difference`, `low` and `high` are None, with `words`, where the window cannot tell; `coverage`
    is the share of the feedback below the threshold that could be compared.

    Args:
        study: whose requests.
        known: what `answers` gave, to read it once.
    """
    known = known or answers(study)
    return {metric: [_point(known, metric, t) for t in THRESHOLDS] for metric in METRICS}


def _point(known: Answers, metric: str, threshold: float) -> dict[str, Any]:
    found = _contrast(known, metric, Thresholds(threshold))
    return {
        "threshold": threshold,
        "difference": _known(found.difference),
        "low": _known(found.low),
        "high": _known(found.high),
        "n": found.n,
        "coverage": found.coverage,
        "words": "" if found.n else known.unknowable,
    }


def _contrast(known: Answers, metric: str, chosen: Thresholds) -> Contrast:
    """Compare the tiers below each request's threshold where the score decided who was asked."""
    values = known.of(metric)
    rows = known.by_score & ~np.isnan(values) & ~np.isnan(known.score)
    return contrasts.contrast(
        known.score[rows], known.task[rows], known.below[rows], values[rows],
        chosen.of(known.task[rows]), is_share=metric in _SHARES,
    )  # fmt: skip


def guardrails(study: Study, chosen: Thresholds, known: Answers | None = None) -> list[Guardrail]:
    """Return whether each of the study's guardrails holds for what thresholds send to CHEAP.

    Args:
        study: whose `guardrails` name a metric and the largest drop allowed, as in 0.05.
        chosen: requests scored below the threshold of their task type go to CHEAP.
        known: what `answers` gave, to read it once.
    """
    if not study.guardrails:
        return []
    known = known or answers(study)
    return [
        _guardrail(known, row["metric"], float(row["largest_drop"]), chosen)
        for row in study.guardrails
    ]


def _guardrail(known: Answers, metric: str, largest_drop: float, chosen: Thresholds) -> Guardrail:
    if metric not in METRICS:
        return Guardrail(metric, "unknown", f"“{metric}” is no outcome that applications tell.")
    found = _contrast(known, metric, chosen)
    level = _level(found, largest_drop)
    if not found.n:
        why = known.unknowable[0].lower() + known.unknowable[1:]
        return Guardrail(metric, level, f"{METRICS[metric]}: {why}")
    return Guardrail(metric, level, f"{METRICS[metric]}: {_sentence(found, largest_drop, level)}")


def _level(found: Contrast, largest_drop: float) -> str:
    if not found.n or found.coverage < LEAST_COVERAGE:
        return "unknown"
    if found.high < -largest_drop:
        return "breached"
    return "ok" if found.low > -largest_drop else "unknown"


def _sentence(found: Contrast, largest_drop: float, level: str) -> str:
    told = (
        f"cheap less expensive is {_points(found.difference)} points "
        f"({_points(found.low)} to {_points(found.high)}) from {found.n} requests with feedback, "
        f"{found.coverage:.0%} of those below the threshold"
    )
    if found.coverage < LEAST_COVERAGE:
        return f"{told}; too little of them to speak for all."
    allowed = f"a drop of {100 * largest_drop:.1f} points is allowed"
    ends = {"ok": "it holds", "breached": "it is breached", "unknown": "this does not decide it"}
    return f"{told}; {allowed}, and {ends[level]}."


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
