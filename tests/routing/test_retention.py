"""Old requests go with all that is theirs; what people or statistics refer to stays."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.utils import timezone

from reviews import revealing, sampling
from reviews.models import Rater, SampledPair, TrainingExample, TrainingRun, Verdict
from routing import counts, policy, retention
from routing.models import (
    Completion,
    Decision,
    Feedback,
    Request,
    ShadowJob,
    ShadowPair,
)
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db
MODELS = (Request, Decision, Completion, ShadowJob, ShadowPair, Feedback)


@pytest.fixture(autouse=True)
def _nothing_remembered(settings):
    settings.SHADOWEVAL_RETENTION_DAYS = 100
    cache.clear()


def aged(project, days):
    """Write a pair whose request came so many days ago, with feedback."""
    pair = add_pair(project, 0.2)
    at = timezone.now() - timedelta(days=days)
    Request.objects.filter(pk=pair.request_id).update(received_at=at)
    Feedback.objects.create(request_id=pair.request_id, thumb="up", digest="d")
    return pair


def test_what_is_old_goes_with_all_that_belongs_to_it_and_the_rest_stays(project):
    for days in (300, 101, 99, 1):
        aged(project, days)
    assert not retention.run()
    assert [model.objects.count() for model in MODELS] == [2, 2, 4, 2, 2, 2]
    assert (counts.requests(project), counts.pairs(project)) == (2, 2)
    assert counts.jobs(project) == [("done", "", 2)]


def test_zero_days_keep_everything(project, settings):
    settings.SHADOWEVAL_RETENTION_DAYS = 0
    aged(project, 30_000)
    assert not retention.run()
    assert Request.objects.count() == 1


def test_a_pair_that_a_router_learnt_from_stays(project):
    learnt, _ = aged(project, 101), aged(project, 101)
    run = TrainingRun.objects.create(project=project, name="r", kind="constant")
    TrainingExample.objects.create(
        run=run, pair=learnt, source="human", cheap_ok=1, expensive_ok=1, provenance={}, score=0.5
    )
    retention.run()
    assert list(ShadowPair.objects.all()) == [learnt]


def test_a_pair_in_a_study_with_a_verdict_or_seen_by_somebody_stays(project):
    drawn, judged, seen, free = (aged(project, 101) for _ in range(4))
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    rater = Rater.objects.create(kind="human", name="ann")
    study.window_days = 200
    study.save()
    SampledPair.objects.create(
        study=study, pair=drawn, stratum="math/1", u=0.5, inclusion_probability=0.1, selected=False
    )
    Verdict.objects.create(study=study, pair=judged, rater=rater, cheap_adequate=True)
    revealing.reveal(seen, rater)
    retention.run()
    left = set(ShadowPair.objects.values_list("pk", flat=True))
    assert left == {drawn.pk, judged.pk, seen.pk}
    assert not Request.objects.filter(pk=free.request_id).exists()


def test_what_is_kept_does_not_stand_in_the_way_and_is_looked_at_again_another_day(project):
    kept, _ = aged(project, 200), aged(project, 150)
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    SampledPair.objects.create(
        study=study, pair=kept, stratum="math/1", u=0.5, inclusion_probability=0.1, selected=False
    )
    retention.run()
    assert Request.objects.get().pk == kept.request_id
    study.delete()
    cache.clear()  # as a day later
    retention.run()
    assert not Request.objects.exists()


def test_a_run_without_time_stops_after_a_batch_and_says_that_there_may_be_more(project):
    aged(project, 200)
    assert retention.run(budget_s=0)
    assert not Request.objects.exists()
    assert not retention.run(budget_s=0)


def test_a_dry_run_says_what_would_go_and_deletes_nothing(project, capsys):
    aged(project, 200)
    call_command("retention", "--dry-run")
    assert "1 requests" in capsys.readouterr().out
    assert Request.objects.count() == 1
    call_command("retention")
    assert not Request.objects.exists()


def test_each_day_begins_anew_whatever_comes_in_between(project):
    aged(project, 120)
    retention.run()
    late = aged(project, 150)  # from a journal or an import
    cache.delete(f"retention:{project.pk}:pass")  # a day passed, with traffic all the time
    aged(project, 110)
    retention.run()
    assert not Request.objects.filter(pk=late.request_id).exists()
