"""A challenger beside the live router at the same cost, and the study that makes it possible.

Both are judged on the same rated pairs, each by its own scores and what it pays. Pairs that either
did not score are in no comparison.
"""

from __future__ import annotations

import secrets
from dataclasses import fields
from typing import NamedTuple

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction

from reviews import challenges, choice, estimation, expiry, frames, inputs
from reviews.choice import Thresholds
from reviews.errors import Conflict
from reviews.estimation import Moment, Rows
from reviews.models import Study
from reviews.plan import Plan
from reviews.stats import contests
from reviews.stats.contests import Gap, Pairs, Router
from routing import policy
from routing.models import Challenger, ChallengerScore, Policy, RouterVersion

#: With fewer rated pairs that both scored, nothing is compared.
FEWEST = 30
#: Studies that are looked at, the newest first.
_MOST = 8
_N_LEVELS = 21
#: Of the study's own plan; the challenger's scores are on another scale than what was cut off.
_OTHERWISE = {"largest_threshold": 1.01}


class Level(NamedTuple):
    """Both routers at one cost.

    Attributes:
        cost_usd: of both, mean per request.
        gap: `one` is the challenger, `other` the live router.
        share: of the traffic that the challenger sends to CHEAP.
        live_share: that the live router does.
    """

    cost_usd: float
    gap: Gap
    share: float
    live_share: float


class Contest(NamedTuple):
    """A challenger and the live router compared.

    Attributes:
        study: whose ratings it rests on.
        anchor: at what the live policy costs; where it sends nothing to CHEAP, in the middle of
            what both can cost. None where the challenger cannot cost that.
        is_live: whether the anchor is at what the live policy costs.
        levels: over all that both can cost, the cheapest first.
        n_frame: pairs that both scored.
        loss: what the study counts, a `Study.Loss`.
    """

    study: Study
    anchor: Level | None
    is_live: bool
    levels: list[Level]
    n_frame: int
    loss: str

    @property
    def is_better(self) -> bool:
        """Return whether the challenger makes fewer requests worse, and that is sure."""
        return self.anchor is not None and self.anchor.gap.interval.low > 0


class _Both(NamedTuple):
    pairs: Pairs
    mine: Router
    live: Router
    routed: np.ndarray


def compare(challenger: Challenger, live: Policy | None) -> Contest | None:
    """Return the comparison on the newest study with enough pairs that both scored, else None.

    A study of the challenger comes first, then those of the live router, the living sample among
    them.
    """
    if live is None or live.router_id == challenger.router_id:
        return None
    for study in _studies(challenger, live):
        both = _both(study, challenger.router, live)
        if both is not None and both.pairs.n_said >= FEWEST:
            return _contest(study, both)
    return None


def _studies(challenger: Challenger, live: Policy) -> list[Study]:
    rows = Study.objects.filter(project=challenger.project_id).order_by("-id")
    own = rows.filter(router=challenger.router_id, is_challenge=True)
    of_live = rows.filter(router=live.router_id, is_challenge=False)
    return [*own[:_MOST], *of_live[:_MOST]]


def _both(study: Study, mine: RouterVersion, live: Policy) -> _Both | None:
    """Return a study's rows that both routers scored, with what each says and pays."""
    kind = estimation.default_kind(estimation.rated_by_kind(study))
    moment = Moment.now(study)
    found = estimation.rows(study, kind, moment)
    lost = inputs.loss(frames.said(study, kind, moment.verdict_id, found.frame), study.loss)
    rows, known = choice.decided_by(study, found, live)
    own, is_scored = _challenging(study, found, mine)
    here = known & is_scored
    if not here.any():
        return None
    routed = rows.frame.score < Thresholds(live.threshold, live.thresholds).of(found.frame.task)
    pairs = Pairs(1 / found.frame.rate, found.frame.pi, found.rated, lost)
    theirs = Router(rows.frame.score, rows.frame.cost_cheap, rows.frame.cost_expensive)
    return _Both(
        Pairs(*(column[here] for column in pairs)),
        Router(*(column[here] for column in own)),
        Router(*(column[here] for column in theirs)),
        np.where(routed, 1.0, 0.0)[here],
    )


def _challenging(study: Study, found: Rows, mine: RouterVersion) -> tuple[Router, np.ndarray]:
    """Return what the challenger says and pays, and which rows it has looked at: (N,)."""
    frame = found.frame
    if study.is_challenge:
        score = frame.score
        looked = np.ones(score.size, bool)
    else:
        said = ChallengerScore.objects.filter(
            router=mine, request__pair__in=study.sample.values("pair")
        )
        score, looked = _placed(frame.pair_id, dict(said.values_list("request__pair", "score")))
    return Router(score, frame.cost_cheap, frame.cost_baseline), looked


def _placed(pair_id: np.ndarray, said: dict[int, float | None]) -> tuple[np.ndarray, np.ndarray]:
    score, looked = np.full(pair_id.size, np.nan), np.zeros(pair_id.size, bool)
    wanted = np.fromiter(said, np.int64, len(said))
    values = np.array([np.nan if one is None else one for one in said.values()], float)
    at, is_there = frames.places(pair_id, wanted)
    score[at[is_there]], looked[at[is_there]] = values[is_there], True
    return score, looked


def _contest(study: Study, both: _Both) -> Contest:
    traffic = both.pairs.traffic
    ends = [contests.costs(one, traffic) for one in (both.mine, both.live)]
    low, high = max(least for least, _ in ends), min(most for _, most in ends)
    costs = np.linspace(low, high, _N_LEVELS if low < high else 0)
    levels = [level for cost in costs if (level := _level(both, float(cost))) is not None]
    is_live = bool(both.routed.any())
    if is_live:
        anchor = _level(both, contests.cost_of(both.live, traffic, both.routed), both.routed)
    else:
        anchor = levels[len(levels) // 2] if levels else None
    return Contest(study, anchor, is_live, levels, traffic.size, study.loss)


def _level(both: _Both, cost: float, routed: np.ndarray | None = None) -> Level | None:
    """Return both at one cost; `routed` is what the live router does where that is given."""
    traffic = both.pairs.traffic
    mine = contests.routed_at(both.mine, traffic, cost)
    live = contests.routed_at(both.live, traffic, cost) if routed is None else routed
    if mine is None or live is None:
        return None
    shares = (float(traffic @ one / traffic.sum()) for one in (mine, live))
    return Level(cost, contests.gap(both.pairs, mine, live), *shares)


def plan(challenger: Challenger) -> Plan:
    """Return the plan that a challenger's study usually has: that of what is live.

    It is the plan of the study that was signed, else of the newest one of the live router, else
    the usual one.
    """
    live = policy.live(challenger.project)
    name = f"{challenger.router} beside {live.router if live else 'nothing'}"[:120]
    signed = expiry.signed(challenger.project, live)
    known = signed.study if signed else _newest(challenger, live)
    if known is None:
        return Plan(name)
    said = {one.name: getattr(known, one.name) for one in fields(Plan)}
    return Plan(**said | _OTHERWISE | {"name": name})


def _newest(challenger: Challenger, live: Policy | None) -> Study | None:
    rows = Study.objects.filter(project=challenger.project_id, watches=None, is_challenge=False)
    return rows.filter(router=live.router_id).order_by("-id").first() if live else None


@transaction.atomic
def study(challenger: Challenger, by: User) -> Study:
    """Start the usual study of a challenger: on the traffic that the live router decides.

    Raises:
        NotAllowed: when the person runs no studies.
        Conflict: when one runs already, the challenger was stopped, or nothing is live.
    """
    Challenger.objects.select_for_update().get(pk=challenger.pk)
    running = Study.objects.filter(
        project=challenger.project_id, router=challenger.router_id, is_challenge=True,
        state=Study.State.RUNNING,
    )  # fmt: skip
    if running.exists():
        raise Conflict(f"A study of {challenger.router} runs already.")
    seed = secrets.token_hex(8)
    return challenges.study(challenger, plan(challenger), seed=seed, by=by)
