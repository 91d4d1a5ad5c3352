"""Outcomes by tier and below a threshold: what the window can tell, and what it cannot."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reviews import outcomes, sampling
from reviews.choice import Thresholds
from reviews.models import Study
from reviews.stats.intervals import wilson
from routing import policy
from routing.models import Feedback, Request
from routing.types import Reason, Tier
from tests.reviews.rows import add_request

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    return sampling.start(policy.live(project), name="s", seed="7", rate=1.0)


@pytest.fixture
def said(project):
    """Write requests that a policy decided, and what became of their answers."""
    n = iter(range(10_000))

    def write(score, tier, results, *, threshold=None, task="math", **request):
        threshold = (1.0 if tier == "cheap" else 0.0) if threshold is None else threshold
        ids = [
            add_request(project, score, tier, threshold=threshold, task=task, **request)
            for _ in results
        ]
        for request_id, result in zip(ids, results, strict=True):
            Feedback.objects.create(request_id=request_id, digest=str(next(n)), **result)
        return ids

    return write


def done(yes, no=0):
    return [{"task_completed": True}] * yes + [{"task_completed": False}] * no


def of_tier(study, metric):
    return {row.tier: row for row in outcomes.by_tier(study) if row.metric == metric}


def at(study, threshold, metric="task_completed"):
    points = outcomes.by_threshold(study)[metric]
    return next(point for point in points if point["threshold"] == threshold)


def test_shares_and_scores_are_told_by_the_tier_that_served(study, said):
    said(0.2, "cheap", done(3, 1) + [{"thumb": "up"}, {"thumb": "down"}, {"score": 0.5}])
    said(0.8, "expensive", [{"score": 0.2}, {"score": 0.4}, {"score": 0.9}])
    completed = of_tier(study, "task_completed")
    assert completed["cheap"][2:] == (4, 0.75, *wilson(3.0, 4.0))
    assert completed["expensive"][2:] == (0, None, None, None)
    assert of_tier(study, "thumb")["cheap"][2:4] == (2, 0.5)
    assert of_tier(study, "score")["expensive"][2:4] == (3, 0.5)


def test_a_failing_cheap_tier_is_expensive_by_tier_and_cheap_below_a_threshold(study, said):
    said(0.25, "expensive", done(0, 30), threshold=0.4, reason=Reason.FALLBACK)
    said(0.25, "expensive", done(30), threshold=0.1)
    assert of_tier(study, "task_completed")["expensive"].n == 60
    assert at(study, 0.3)["difference"] == -1.0


def test_the_newest_word_on_a_request_counts_each_metric_by_itself(study, said):
    (one,) = said(0.2, "cheap", [{"task_completed": True, "thumb": "up"}])
    Feedback.objects.create(request_id=one, task_completed=False, digest="later")
    Feedback.objects.create(request_id=one, comment="hm", digest="last")
    assert of_tier(study, "task_completed")["cheap"][2:4] == (1, 0.0)
    assert of_tier(study, "thumb")["cheap"][2:4] == (1, 1.0)


def test_bands_that_one_tier_served_cannot_be_known_and_are_not_filled_in(study, said):
    said(0.2, "cheap", done(50))
    said(0.8, "expensive", done(0, 50))
    for point in outcomes.by_threshold(study)["task_completed"]:
        assert (point["difference"], point["low"], point["high"]) == (None, None, None)
        assert (point["n"], point["coverage"]) == (0, 0.0)
        assert point["words"].startswith("Cannot be known from this window")


def test_tiers_are_compared_where_both_served_and_the_rest_is_said_to_be_missing(study, said):
    said(0.25, "cheap", done(24, 6))
    said(0.25, "expensive", done(30))
    said(0.35, "cheap", done(0, 40))
    assert at(study, 0.2)["difference"] is None
    whole, part = at(study, 0.3), at(study, 0.4)
    assert whole["difference"] == part["difference"] == pytest.approx(-0.2)
    assert whole["low"] < -0.2 < whole["high"] < 0.05
    assert (whole["coverage"], part["coverage"], part["n"]) == (1.0, 0.6, 60)


def test_task_types_with_thresholds_of_their_own_are_not_mixed_up(study, said):
    said(0.25, "cheap", done(0, 30), task="math")
    said(0.25, "expensive", done(30), task="chat")
    assert at(study, 0.3)["difference"] is None


@pytest.mark.parametrize(
    "reason",
    [Reason.FORCED, Reason.BYPASSED, Reason.STICKY, Reason.ROUTER_ERROR, Reason.IMPORTED],
)
def test_what_no_score_decided_is_not_compared(study, said, reason):
    said(0.25, "cheap", done(30))
    said(0.25, "expensive", done(0, 30), reason=reason)
    assert at(study, 0.3)["difference"] is None
    assert of_tier(study, "task_completed")["expensive"].n == 30


def test_a_fallback_of_what_the_client_wanted_cheap_is_not_compared(study, said):
    said(0.25, "cheap", done(30))
    said(0.25, "expensive", done(0, 30), threshold=0.1, reason=Reason.FALLBACK)
    assert at(study, 0.3)["difference"] is None


def test_other_windows_and_other_projects_count_for_nothing(study, said, starter):
    from routing import bootstrap

    ids = said(0.2, "cheap", done(3))
    Request.objects.filter(pk=ids[0]).update(received_at=timezone.now() - timedelta(days=15))
    other = bootstrap.ensure_project("other", "Other", starter)
    elsewhere = add_request(other, 0.2, "cheap", threshold=1.0)
    Feedback.objects.create(request_id=elsewhere, task_completed=True, digest="d")
    assert of_tier(study, "task_completed")["cheap"].n == 2


@pytest.mark.parametrize(
    ("cheap", "expensive", "largest_drop", "level"),
    [
        (done(100), done(100), 0.05, "ok"),
        (done(50, 50), done(100), 0.05, "breached"),
        (done(50, 50), done(100), 0.65, "ok"),
        (done(92, 8), done(95, 5), 0.05, "unknown"),
        (done(100), done(19), 0.05, "unknown"),
        ([], [], 0.05, "unknown"),
    ],
)
def test_a_guardrail_is_decided_by_the_ends_of_the_difference(
    study, said, cheap, expensive, largest_drop, level
):
    said(0.25, "cheap", cheap)
    said(0.25, "expensive", expensive)
    study.guardrails = [{"metric": "task_completed", "largest_drop": largest_drop}]
    (found,) = outcomes.guardrails(study, Thresholds(0.3))
    assert (found.metric, found.level) == ("task_completed", level)
    assert found.text.startswith("Task completed: ")


def test_a_guardrail_says_its_numbers(study, said):
    said(0.25, "cheap", done(50, 50))
    said(0.25, "expensive", done(100))
    study.guardrails = [{"metric": "task_completed", "largest_drop": 0.05}]
    (found,) = outcomes.guardrails(study, Thresholds(0.3))
    assert "is −50.0 points (−59.6 to −39.7) from 200 requests with feedback, 100%" in found.text
    assert found.text.endswith("a drop of 5.0 points is allowed, and it is breached.")


def test_a_guardrail_over_little_of_the_feedback_stays_open(study, said):
    said(0.25, "cheap", done(50, 50))
    said(0.25, "expensive", done(100))
    said(0.15, "cheap", done(51))
    study.guardrails = [{"metric": "task_completed", "largest_drop": 0.05}]
    (found,) = outcomes.guardrails(study, Thresholds(0.3))
    assert (found.level, "80%" in found.text) == ("unknown", True)
    assert "too little of them" in found.text


@pytest.mark.parametrize(
    ("by_task", "level"),
    [({"math": 0.3}, "breached"), ({"chat": 0.3}, "ok"), ({"math": 0.3, "chat": 0.3}, "breached")],
)
def test_a_guardrail_is_about_what_thresholds_by_task_type_send_to_cheap(
    study, said, by_task, level
):
    said(0.25, "cheap", done(0, 100))
    said(0.25, "cheap", done(100), task="chat")
    for task in ("chat", "math"):
        said(0.25, "expensive", done(100), task=task)
    study.guardrails = [{"metric": "task_completed", "largest_drop": 0.05}]
    (found,) = outcomes.guardrails(study, Thresholds(0.0, by_task))
    assert (found.level, f"from {200 * len(by_task)} requests" in found.text) == (level, True)


def test_an_outcome_that_nobody_tells_is_unknown_and_a_study_without_guardrails_has_none(study):
    assert outcomes.guardrails(study, Thresholds(0.3)) == []
    study.guardrails = [{"metric": "revenue", "largest_drop": 0.05}]
    (found,) = outcomes.guardrails(study, Thresholds(0.3))
    assert found.level == "unknown"


def test_scores_are_compared_too(study, said):
    said(0.25, "cheap", [{"score": s} for s in (0.4, 0.5, 0.6)] * 10)
    said(0.25, "expensive", [{"score": s} for s in (0.7, 0.8, 0.9)] * 10)
    found = at(study, 0.3, "score")
    assert found["difference"] == pytest.approx(-0.3)
    assert -0.4 < found["low"] < found["high"] < -0.2


def test_feedback_is_read_in_few_queries_and_once_where_it_is_handed_on(study, said):
    said(0.25, "cheap", done(5))
    study = Study.objects.select_related("policy", "project").get(pk=study.pk)
    with CaptureQueriesContext(connection) as queries:
        known = outcomes.answers(study)
        outcomes.by_tier(study, known)
        outcomes.by_threshold(study, known)
    assert len(queries) == 2  # the policies, the answers


def test_a_request_without_a_score_counts_by_tier_only(study, said):
    said(None, "expensive", done(30), reason=Reason.ROUTER_ERROR)
    assert of_tier(study, "task_completed")["expensive"].n == 30
    assert at(study, 1.0)["coverage"] == 0.0
    assert Tier.CHEAP in of_tier(study, "task_completed")
