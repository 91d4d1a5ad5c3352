"""Labels that follow from the text: what a router can learn, in pairs that were drawn to train."""

from datetime import timedelta

from django.utils import timezone

from routing.models import Request, ShadowPair
from tests.reviews import training_draws
from tests.reviews.rows import add_pair

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


def query(n):
    forms = _HARD if n % 2 else _EASY
    return forms[n // 2 % 4].format(n)


def plant(project, n=120, says=lambda n: None, tasks=("math", "writing")):
    """Write n pairs whose odd ones needed the expensive model, mostly, and what a person said."""
    pairs = [
        add_pair(project, 0.5, query=query(k), task=tasks[k % len(tasks)], cheap=f"c{k}")
        for k in range(n)
    ]
    study, ann = training_draws.start(project), training_draws.person()
    for k, pair in enumerate(pairs):
        needed = (k % 2 == 1) != (k % _WRONG_EVERY == _WRONG_EVERY - 1)
        training_draws.spoken(
            study, pair, ann, *(("tie", True, True), ("expensive", False, True))[needed]
        )
    _age(pairs)
    return pairs


def _age(pairs):
    """Let the requests have come an hour ago, one a second."""
    begun = timezone.now() - timedelta(hours=1)
    for k, pair in enumerate(pairs):
        Request.objects.filter(pk=pair.request_id).update(received_at=begun + timedelta(seconds=k))


def ids(pairs):
    return set(ShadowPair.objects.filter(pk__in=[p.pk for p in pairs]).values_list("pk", flat=True))
