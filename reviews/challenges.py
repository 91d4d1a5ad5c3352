"""Routers that challenge the live one: who starts them, how they compare, how they get evidence.

A challenger decides nothing; `routing.challenging` lets it score. It is studied on pairs that the
live router brought in, and goes live by a sign-off like any threshold. A router that has to see the
cheap answer first cannot score in the background: it gets its evidence where it is deployed at
threshold 0, so that it decides and everything goes to EXPENSIVE.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from scipy import stats

from reviews import audit, labels, permissions, rollout
from reviews.choice import Thresholds
from reviews.errors import BadInput, Conflict
from reviews.frames import task_numbers
from reviews.models import Study
from reviews.plan import Plan
from reviews.sampling import start as start_study
from reviews.sampling import unseen_since
from reviews.stats import routers as quality
from routing import policy, routers
from routing.models import Challenger, ChallengerScore, Deployment, Policy, Project, RouterVersion

#: Scores that a page compares: the newest.
MOST = 20_000
#: With fewer labels, or fewer of one class, an interval says nothing worth reading.
FEWEST_LABELS, FEWEST_EACH = 50, 10
_RESAMPLES = 500
_SEED = 7

_SCORES = """
SELECT array_agg(request_id::text ORDER BY id),
    string_agg(float8send(coalesce(mine, 'NaN')), '' ORDER BY id),
    string_agg(float8send(coalesce(live, 'NaN')), '' ORDER BY id),
    array_agg(task ORDER BY id)
FROM (
    SELECT said.id, said.request_id, said.score AS mine, decision.score AS live, request.task
    FROM routing_challengerscore AS said
    JOIN routing_request AS request ON request.id = said.request_id
    JOIN routing_decision AS decision ON decision.request_id = said.request_id
    JOIN routing_policy AS policy ON policy.id = decision.policy_id
    WHERE said.router_id = %s AND request.project_id = %s AND policy.router_id = %s
    ORDER BY said.id DESC LIMIT %s
) AS newest
"""


class Switches(NamedTuple):
    """Requests by where the live router and the challenger send them at the live thresholds."""

    both_cheap: int
    to_cheap: int
    to_expensive: int
    both_expensive: int

    @property
    def n(self) -> int:
        """Return how many requests were compared."""
        return sum(self)

    @property
    def share(self) -> float | None:
        """Return the share that would go elsewhere; None without any."""
        return (self.to_cheap + self.to_expensive) / self.n if self.n else None


class Standing(NamedTuple):
    """How a challenger compares with the live router, on the requests that this one decided.

    Attributes:
        n_scored: requests it has a row for, all together.
        n_failed: of them those without a score.
        switches: of the newest, at the live thresholds.
        correlation: Spearman's, of both routers' scores; None where one of them never varies.
        ranking: how both rank labelled pairs; None with fewer than FEWEST_LABELS.
        n_labels: labelled pairs that both scored.
    """

    challenger: Challenger
    n_scored: int
    n_failed: int
    switches: Switches
    correlation: float | None
    ranking: quality.Compared | None
    n_labels: int


class _Scores(NamedTuple):
    """Requests with both routers' scores, nan where one gave none: shape (n,)."""

    request: tuple[str, ...]
    mine: np.ndarray
    live: np.ndarray
    task: np.ndarray


@transaction.atomic
def start(project: Project, router: RouterVersion, by: User) -> Challenger:
    """Let a router score a project's requests from now on.

    One transaction holds the challenger and its entry in the trail.

    Raises:
        NotAllowed: when the person trains no routers.
        BadInput: when the router is another project's, or has to see answers first.
        Conflict: when it decides already, or challenges already.
    """
    permissions.check(by, "train_routers")
    check_may_challenge(project, router)
    live = policy.live(project)
    if live is not None and live.router_id == router.pk:
        raise Conflict(f"{router} decides already; its scores are those of the requests.")
    try:
        with transaction.atomic():
            row = Challenger.objects.create(project=project, router=router, started_by=by)
    except IntegrityError:
        raise Conflict(f"{router} challenges already.") from None
    detail = {"router": router.name, "sha256": router.sha256}
    audit.write(project, by, "challenger.started", f"challenger {row.pk}", detail)
    return row


def check_may_challenge(project: Project, router: RouterVersion) -> None:
    """Refuse a router that cannot score a project's requests in the background.

    Raises:
        BadInput: saying why.
    """
    _check_own(project, router)
    if has_to_ask(router):
        raise BadInput(
            f"{router} has to see the cheap answer before it scores, so that it cannot challenge. "
            "Let it decide at threshold 0 instead: everything goes to the expensive tier, and its "
            "study can begin."
        )


def _check_own(project: Project, router: RouterVersion) -> None:
    if router.project_id not in (None, project.pk):
        raise BadInput(f"{router} learnt from another project's requests.")
    if router.kind not in routers.kinds():
        raise BadInput(f"There is no kind of router {router.kind} here.")


def has_to_ask(router: RouterVersion) -> bool:
    """Return whether the router asks the cheap model before it decides."""
    kind = routers.kinds().get(router.kind)
    return kind is not None and kind.asks


@transaction.atomic
def stop(challenger: Challenger, by: User) -> None:
    """Let a challenger score no more; what it has said stays. A second run changes nothing.

    Raises:
        NotAllowed: when the person trains no routers.
    """
    permissions.check(by, "train_routers")
    running = Challenger.objects.filter(pk=challenger.pk, stopped_at=None)
    if running.update(stopped_at=timezone.now()):
        audit.challenger_stopped(challenger, by=by)


def draft(challenger: Challenger) -> Policy:
    """Return the policy that a study of a challenger is about, not written.

    It has the live policy's models and rules to abstain by, and sends nothing to CHEAP.

    Raises:
        Conflict: when the project has no live policy.
    """
    live = policy.live(challenger.project)
    if live is None:
        raise Conflict("This project has no live policy yet.")
    return Policy(
        project=challenger.project, router=challenger.router, cheap=live.cheap,
        expensive=live.expensive, threshold=policy.ALWAYS_EXPENSIVE, abstain=live.abstain,
    )  # fmt: skip


@transaction.atomic
def study(challenger: Challenger, plan: Plan, *, seed: str, by: User) -> Study:
    """Start the study of a challenger: on pairs of the live models whose requests it scored.

    One transaction holds the policy that it is about, which is not deployed, and the study.

    Raises:
        NotAllowed: when the person runs no studies.
        Conflict: when the challenger was stopped, or nothing is live.
    """
    permissions.check(by, "run_studies")
    if challenger.stopped_at is not None:
        raise Conflict("This challenger was stopped; start it again first.")
    wanted = draft(challenger)
    live = policy.live(challenger.project)
    assert live is not None, "the draft was made from it"
    known = Policy.objects.filter(
        project=wanted.project, router=wanted.router, threshold=wanted.threshold, thresholds={},
        abstain=wanted.abstain,
    )  # fmt: skip
    same = next((row for row in known if row.identity == wanted.identity), None)
    studied = same or policy.always_expensive(
        live, f"Studied: {challenger.router}", router=challenger.router
    )
    return start_study(studied, seed=seed, is_challenge=True, **plan.as_fields())


@transaction.atomic
def always_expensive_with(
    project: Project, router: RouterVersion, *, by: User, reason: str
) -> Deployment:
    """Let a router decide at threshold 0: all goes to EXPENSIVE until a threshold is signed.

    It takes no sign-off, as a rollback takes none: nothing is routed cheap. One transaction holds
    policy, deployment, the end of a rollout under way, and the entry in the trail.

    Raises:
        NotAllowed: when the person may not deploy.
        BadInput: without a reason, or when the router is another project's.
        Conflict: when nothing is live, or this is what is live.
    """
    permissions.check(by, "deploy")
    if not reason.strip():
        raise BadInput("Say in a sentence why this router is to decide.")
    _check_own(project, router)
    policy.lock(project)
    live = policy.live(project)
    if live is None:
        raise Conflict("This project has no live policy yet.")
    if live.router_id == router.pk and live.is_always_expensive:
        raise Conflict(f"{router} decides at threshold 0 already.")
    rollout.end(project, f"{router} decides instead, at threshold 0.")
    target = policy.always_expensive(
        live, "Always expensive, until a threshold is signed", router=router
    )
    row = policy.deploy(target, by=by, reason=f"Always expensive with {router}: {reason.strip()}")
    detail = {"router": router.name, "sha256": router.sha256, "policy": target.name}
    detail["why"] = reason.strip()
    audit.write(project, by, "policy.router_changed", f"deployment {row.pk}", detail)
    return row


def standing(challenger: Challenger, live: Policy | None) -> Standing:
    """Return how a challenger compares with the live router."""
    rows = ChallengerScore.objects.filter(
        router=challenger.router_id, request__project=challenger.project_id
    )
    n_scored, n_failed = rows.count(), rows.filter(score=None).count()
    scores = _scores(challenger, live)
    ranking, n_labels = _ranking(challenger, scores)
    return Standing(
        challenger, n_scored, n_failed, _switches(scores, live), _correlation(scores),
        ranking, n_labels,
    )  # fmt: skip


def _scores(challenger: Challenger, live: Policy | None) -> _Scores:
    asked = [challenger.router_id, challenger.project_id, live.router_id if live else 0, MOST]
    with connection.cursor() as cursor:
        cursor.execute(_SCORES, asked)
        requests, mine, theirs, tasks = cursor.fetchone()
    own, other = (np.frombuffer(sent or b"", ">f8").astype(np.float64) for sent in (mine, theirs))
    return _Scores(tuple(requests or ()), own, other, task_numbers(tasks or ()))


def _switches(scores: _Scores, live: Policy | None) -> Switches:
    """Count by tier; a router that gives no score sends to EXPENSIVE."""
    if live is None:
        return Switches(0, 0, 0, 0)
    at = Thresholds(live.threshold, live.thresholds).of(scores.task)
    was, would = scores.live < at, scores.mine < at
    counted = ((was & would), (~was & would), (was & ~would), (~was & ~would))
    return Switches(*(int(one.sum()) for one in counted))


def _correlation(scores: _Scores) -> float | None:
    known = ~np.isnan(scores.mine) & ~np.isnan(scores.live)
    mine, live = scores.mine[known], scores.live[known]
    if mine.size < 2 or np.ptp(mine) == 0 or np.ptp(live) == 0:
        return None
    return float(stats.spearmanr(mine, live).statistic)


def _ranking(challenger: Challenger, scores: _Scores) -> tuple[quality.Compared | None, int]:
    """Compare both on what people and judges said of pairs that neither router learnt from."""
    place = {request: at for at, request in enumerate(scores.request)}
    said = labels.collect(challenger.project, ("human", "judge"), since=_unseen_since(challenger))
    known = [
        (place[str(one.request_id)], (1 - one.cheap_ok) * one.expensive_ok, one.weight)
        for one in said
        if str(one.request_id) in place
    ]
    at = np.array([row[0] for row in known], np.intp)
    loss, weight = (np.array([row[i] for row in known], float) for i in (1, 2))
    both = ~np.isnan(scores.mine[at]) & ~np.isnan(scores.live[at])
    at, loss, weight = at[both], loss[both], weight[both]
    if not is_enough(loss):
        return None, at.size
    rng = np.random.default_rng(_SEED)
    mine, live = scores.mine[at], scores.live[at]
    found = quality.compared(mine, live, loss, weight, rng, resamples=_RESAMPLES)
    return (None if np.isnan(found.difference.interval.low) else found), at.size


def is_enough(loss: np.ndarray) -> bool:
    """Return whether there are labels enough, of both classes, to say how a router ranks."""
    events = int((loss > 0.5).sum())
    return loss.size >= FEWEST_LABELS and FEWEST_EACH <= events <= loss.size - FEWEST_EACH


def _unseen_since(challenger: Challenger) -> datetime:
    live = policy.live(challenger.project)
    routers_ = [challenger.router_id, *([live.router_id] if live else [])]
    unseen = [at for pk in routers_ if (at := unseen_since(pk)) is not None]
    return max([challenger.started_at, *unseen])


def is_studied(challenger: Challenger) -> bool:
    """Return whether there is a study of the challenger, running or closed."""
    return Study.objects.filter(
        project=challenger.project_id, router=challenger.router_id, is_challenge=True
    ).exists()
