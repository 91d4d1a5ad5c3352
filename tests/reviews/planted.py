"""Labels that follow from the text: what a router can learn, in pairs that were drawn to train."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from reviews.models import Verdict
from routing import policy, recording, records
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Tier
from tests.reviews import training_draws
from tests.reviews.rows import reply, shadowed

_HARD = (
    "Prove by induction that the sum of the first {} odd numbers is a square.",
    "Derive the gradient of the loss with respect to weight {} step by step.",
    "Find a counterexample to claim {} about continuous functions and explain it.",
    "Refactor module {} so that two threads never deadlock, and argue why.",
)
_EASY = (
    "What is the capital of country number {}?",
    "Translate the word {} into French.",
    "How many days are in month {}?",
    "Spell the number {} in English.",
)
#: Every so many labels say the opposite: no router can be right about these.
_WRONG_EVERY = 17
_SAID = {
    True: {"preference": "expensive", "cheap_adequate": False, "expensive_adequate": True},
    False: {"preference": "tie", "cheap_adequate": True, "expensive_adequate": True},
}


def query(n):
    forms = _HARD if n % 2 else _EASY
    return forms[n // 2 % 4].format(n)


def plant(project, n=120, tasks=("math", "writing")):
    """Write n pairs whose odd ones needed the expensive model, mostly, and what a person said."""
    pairs = _pairs(project, [(query(k), tasks[k % len(tasks)]) for k in range(n)])
    study, ann = training_draws.start(project), training_draws.person()
    Verdict.objects.bulk_create(
        Verdict(study=study, pair=pair, rater=ann, **_SAID[is_needed(k)])
        for k, pair in enumerate(pairs)
    )
    return pairs


def is_needed(k):
    return (k % 2 == 1) != (k % _WRONG_EVERY == _WRONG_EVERY - 1)


def _pairs(project, asked):
    """Write pairs in few statements, their requests a second apart up to an hour ago."""
    live, begun = policy.live(project), timezone.now() - timedelta(hours=1)
    served = [_served(live, begun + timedelta(seconds=k), *one) for k, one in enumerate(asked)]
    recording.write(served)
    cheap = records.completion_fields(
        replace(reply("from cheap"), model="small"), "simulated", Decimal("0.01")
    )
    return shadowed(served, live.router, cheap)


def _served(live, at, text, task):
    payload = {"messages": [{"role": "user", "content": text}], "max_tokens": 5}
    reason = Reason.AT_OR_ABOVE_THRESHOLD
    return Served(
        uuid4(), at, live.project_id, None, live.pk, "anthropic",
        ChatRequest(payload, text, "auto"),
        DecisionValue(Tier.EXPENSIVE, reason, live.threshold, 0.5, task=task), 200, "",
        "simulated", replace(reply("from expensive"), model="large"), Decimal("0.05"),
        1.0, 1.0, 2.0,
    )  # fmt: skip
