"""A signed policy that is live, and traffic since: what a test of monitors begins with."""

import json
from datetime import UTC, timedelta
from decimal import Decimal
from uuid import uuid4

import numpy as np
from django.utils import timezone

from reviews import rollout, sampling
from reviews.models import SignOff, Verdict
from routing import policy, recording
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier, Usage
from tests.reviews import labelled
from tests.reviews.rated import rater
from tests.reviews.rows import add_pairs
from tests.reviews.signing import approve, ask, person

DAY = timedelta(days=1)
THRESHOLD = 0.4
STUDIED, A_DAY = 420, 50


def scores(n, seed):
    """Return scores as the study's router gives them."""
    return np.random.default_rng(seed).beta(1.2, 1.4, n).tolist()


def signed(project, ramp=(), **plan):
    """Return the sign-off of a study of two weeks, its policy live from now on."""
    add_pairs(project, scores(STUDIED, 1), task=lambda place: ("math", "writing")[place % 2])
    live = policy.live(project)
    study = sampling.start(live, name="Live", seed="7", rate=1.0, certified_only=False, **plan)
    who = rater("ann")
    Verdict.objects.bulk_create(
        Verdict(study=study, pair=draw.pair, rater=who, preference="tie")
        for draw in study.sample.filter(selected=True)
    )
    labelled.spread(study, 14)
    row = ask(study, person("paula", "product"), THRESHOLD, rollout=list(ramp))
    row = approve(row, person("erik", "engineering"), person("pat", "product"))
    rollout.run_due()
    return SignOff.objects.get(pk=row.pk)


def midnight(days):
    """Return the midnight (UTC) that ends so many whole days after today."""
    now = timezone.now().astimezone(UTC)
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + (days + 1) * DAY


def serve(project, days, n=A_DAY, score=lambda x: x, task=None, **more):
    """Write traffic under the live policy on some of the days after today, the first is 0.

    Args:
        project: whose.
        days: which.
        n: requests of each.
        score: what becomes of each score.
        task: of all; else as in the study.
        more: of `_served`.
    """
    live, rows = policy.live(project), []
    for day in days:
        for place, drawn in enumerate(scores(n, 100 + day)):
            at = midnight(day) + place * DAY / n
            named = task or ("math", "writing")[place % 2]
            rows.append(_served(live, at, score(drawn), named, **more))
    recording.write(rows)
    return [row.request_id for row in rows]


def _served(live, at, score, task, *, usd=None, model="m", query="q"):
    is_cheap = score < live.threshold
    tier = Tier.CHEAP if is_cheap else Tier.EXPENSIVE
    reason = Reason.BELOW_THRESHOLD if is_cheap else Reason.AT_OR_ABOVE_THRESHOLD
    usd = usd or ("0.01" if is_cheap else "0.05")
    body = json.dumps({"content": [{"type": "text", "text": "yes"}]}).encode()
    return Served(
        uuid4(), at, live.project_id, None, live.pk, "anthropic",
        ChatRequest({"messages": [{"role": "user", "content": query}]}, query, "auto"),
        DecisionValue(tier, reason, live.threshold, score, task=task), 200, "", "simulated",
        Reply(body, "yes", model, "end_turn", Usage(3, 2), 1.0), Decimal(usd), 0.0, 1.0, 2.0,
    )  # fmt: skip
