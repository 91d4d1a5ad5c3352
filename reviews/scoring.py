"""Which scores a study goes by: those that decided, or those of a challenger that decided nothing.

Of a study on the router that decides, a pair's score is its own. Of a study on a challenger it is
the challenger's: the policies that decided had another router. What their router paid to see cheap
answers first is then no cost of the challenger's.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, FilteredRelation, Max, Q, QuerySet

from reviews.models import Study, TrainingExample
from reviews.models.triggers import MADE_OF
from routing import challenging
from routing.models import Challenger, ChallengerScore, Policy, ShadowPair

_MADE_OF = "{cte} SELECT id FROM made_of ORDER BY id".replace("{cte}", MADE_OF.format(version="%s"))


class Sql(NamedTuple):
    """How a query reads scores.

    Attributes:
        join: of a table of challengers' scores; empty where none is read.
        score: the column of the score.
        asking: what the router paid to see cheap answers first, null where it did not.
    """

    join: str
    score: str
    asking: str


def of_pairs(study: Study) -> Sql:
    """Return how a query over `pair` reads the study's scores; every row of it stays."""
    if not study.is_challenge:
        return Sql("", "pair.score", "pair.probe_usd")
    join = _of_challenger(study, "pair.request_id")
    return Sql(f"LEFT {join}", "challenge.score", "NULL::numeric")


def of_decisions(study: Study) -> Sql:
    """Return how a query over `d`, decisions, reads them; none that the challenger did not score.

    What it did not score is not what its study is about: it had not begun.
    """
    if not study.is_challenge:
        return Sql("", "d.score", "d.probe_usd")
    join = _of_challenger(study, "d.request_id")
    if study.closed_at is not None:  # what is said of a closed study never changes
        join += f" AND challenge.created_at <= '{study.closed_at.isoformat()}'"
    return Sql(join, "challenge.score", "NULL::numeric")


def newest(study: Study) -> int:
    """Return a number that changes when a challenger has scored something since; 0 without one."""
    if not study.is_challenge:
        return 0
    return ChallengerScore.objects.aggregate(last=Max("id"))["last"] or 0


def _of_challenger(study: Study, request: str) -> str:
    return (
        "JOIN routing_challengerscore AS challenge"
        f" ON challenge.request_id = {request} AND challenge.router_id = {int(study.router_id)}"
    )


def scored(study: Study, pairs: QuerySet[ShadowPair]) -> QuerySet[ShadowPair]:
    """Return the pairs with the study's score as `study_score`, null where the router gave none.

    Of a challenger those it has looked at; never a pair that its router was trained on, or one that
    it is made of.
    """
    learnt = TrainingExample.objects.filter(run__router__in=made_of(study.router_id))
    pairs = pairs.exclude(pk__in=learnt.values("pair"))
    if not study.is_challenge:
        return pairs.annotate(study_score=F("score"))
    said = Q(request__challenger_scores__router=study.router_id)
    of_challenger = FilteredRelation("request__challenger_scores", condition=said)
    there = pairs.annotate(challenge=of_challenger).exclude(challenge=None)
    return there.annotate(study_score=F("challenge__score"))


@lru_cache(4096)
def made_of(router_id: int) -> tuple[int, ...]:
    """Return the versions that a version is made of, itself among them; it never changes."""
    with connection.cursor() as cursor:
        cursor.execute(_MADE_OF, [router_id])
        return tuple(pk for (pk,) in cursor.fetchall())


def waiting(study: Study, pairs: QuerySet[ShadowPair]) -> QuerySet[ShadowPair]:
    """Return the pairs that the challenger of a study is still to score while it runs."""
    mine = Challenger.objects.filter(project=study.project_id, router=study.router_id)
    running = mine.filter(stopped_at=None).first()
    if running is None:
        return pairs.none()
    said = Q(request__challenger_scores__router=study.router_id)
    of_challenger = FilteredRelation("request__challenger_scores", condition=said)
    since = pairs.filter(request__received_at__gte=running.started_at)
    since = since.exclude(challenging.never_scored("request__"))
    return since.annotate(challenge=of_challenger).filter(challenge=None)


def by_pair(study: Study, pairs: Collection[Any]) -> dict[int, dict[str, float | None]]:
    """Return the challenger's `score` of some pairs, by pair; nothing of another study."""
    if not study.is_challenge:
        return {}
    said = ChallengerScore.objects.filter(router=study.router_id, request__pair__in=pairs)
    return {pair: {"score": score} for pair, score in said.values_list("request__pair", "score")}


def fits(study: Study, live: Policy | None) -> bool:
    """Return whether what a study finds can be signed for a live policy.

    It asks the models that were compared and abstains by the same rules; the router is the study's
    own, or the challenger's that would take its place.
    """
    if live is None or live.identity != study.policy.identity:
        return False
    if live.abstain != study.policy.abstain:
        return False
    return study.is_challenge or is_live(study, live)


def is_live(study: Study, live: Policy | None) -> bool:
    """Return whether the study's router decides: its thresholds are about the study's scores."""
    return live is not None and live.router_id == study.router_id
