"""Studies whose pairs carry labels, without anybody rating them one by one."""

from datetime import timedelta

from django.utils import timezone

from reviews import sampling
from reviews.models import Rater, Study, Verdict
from routing import policy
from routing.models import Request
from tests.reviews.rows import add_pairs


def start(project, scores, rate=1.0, **plan):
    """Write a pair for each score, and a study that draws of them."""
    pairs = add_pairs(project, list(scores), task=plan.pop("task", "math"))
    study = sampling.start(policy.live(project), name="s", seed="7", rate=rate, **plan)
    return study, pairs


def label(study, harmed=lambda score: False, pairs=None, kind="human"):
    """Say of every drawn pair whether it is harmed, by an imported label."""
    rater, _ = Rater.objects.get_or_create(kind=kind, name=f"{kind} of labels")
    drawn = study.sample.filter(selected=True).select_related("pair").order_by("id")
    if pairs is not None:
        drawn = drawn.filter(pair__in=pairs)
    return Verdict.objects.bulk_create(
        Verdict(
            study=study, pair=draw.pair, rater=rater,
            preference="expensive" if (is_harmed := harmed(draw.pair.score)) else "tie",
            cheap_adequate=not is_harmed, expensive_adequate=True,
        )
        for draw in drawn
    )  # fmt: skip


def end_window(study):
    """Let the study have begun so long ago that its window ends now, after all its requests."""
    begun = timezone.now() - timedelta(days=study.window_days)
    Study.objects.filter(pk=study.pk).update(created_at=begun)
    study.refresh_from_db()


def spread(study, days):
    """Let the study's requests have come evenly over so many days up to now."""
    ids = list(study.sample.order_by("id").values_list("pair__request_id", flat=True))
    step = timedelta(days=days) / len(ids)
    begun = timezone.now() - timedelta(days=days)
    for place, request_id in enumerate(ids):
        Request.objects.filter(pk=request_id).update(received_at=begun + place * step)
