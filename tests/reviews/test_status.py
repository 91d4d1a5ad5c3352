"""Where a study stands, and what it needs: words that follow from its rows."""

from datetime import timedelta

import pytest
from django.utils import timezone

from reviews import closing, needs, rating, status
from reviews.models import Verdict
from routing.models import ShadowJob
from tests.reviews import labelled, rated
from tests.reviews.rows import add_pair, add_pairs

pytestmark = pytest.mark.django_db
SCORES = [nth / 60 for nth in range(60)]


def test_a_study_collects_until_its_window_is_over_and_its_pairs_are_rated(project):
    study, pairs = labelled.start(project, SCORES, floor=0.2)
    before = status.of(study)
    assert (before.name, before.days_left) == ("collecting", None)
    assert "60 pairs wait for a rating. Nobody rated lately" in before.text
    labelled.label(study, pairs=pairs[:50])
    during = status.of(study)
    assert (during.name, during.days_left) == ("collecting", 14)
    assert during.text.startswith("About 14 days left. The window ends on ")
    labelled.label(study, pairs=pairs[50:])
    labelled.end_window(study)
    assert (status.of(study).name, status.of(study).days_left) == ("ready", None)
    closing.close_due()
    study.refresh_from_db()
    assert status.of(study).name == "holds"
    assert "At 1.01 we are 95 % sure that at most 20 % of all requests" in status.of(study).text


def test_what_counts_as_worse_is_said_as_the_plan_has_it(project):
    study, _ = labelled.start(project, SCORES, floor=0.2, loss="inadequate")
    labelled.label(study)
    labelled.end_window(study)
    closing.close_due()
    study.refresh_from_db()
    assert "20 % of all requests get an answer that is not good enough." in status.of(study).text


def test_harm_does_not_hold(project):
    study, _ = labelled.start(project, [0.5] * 60)
    labelled.label(study, harmed=lambda score: True)
    labelled.end_window(study)
    closing.close_due()
    study.refresh_from_db()
    assert status.of(study).name == "does_not_hold"


def test_a_threshold_that_is_safe_without_ratings_says_so(project):
    study, _ = labelled.start(project, SCORES)
    labelled.label(study, harmed=lambda score: True)
    labelled.end_window(study)
    closing.close_due()
    study.refresh_from_db()
    assert "At 0.05 we are" in status.of(study).text
    assert "No rating was needed" in status.of(study).text


def test_what_blocks_the_certificate_comes_first(project):
    study, _ = labelled.start(project, SCORES)
    labelled.label(study)
    for _ in range(10):
        add_pair(project, 0.5)
    newer = project.pairs.order_by("-id")[:10]
    for pair in newer:
        ShadowJob.objects.filter(request_id=pair.request_id).update(
            state="failed", reason="provider_error: 400", finished_at=timezone.now()
        )
        pair.delete()
    found = status.of(study)
    assert found.name == "unhealthy"
    assert found.text.startswith("Nothing can be signed until this is clear. Missing pairs: ")


def test_the_pace_is_that_of_the_last_week(project):
    study, pairs = labelled.start(project, SCORES)
    now = timezone.now()
    assert status.pace(study, now) == 0
    labelled.label(study, pairs=pairs[:14])
    assert status.pace(study, now + timedelta(days=2)) == pytest.approx(7, rel=0.01)
    assert status.pace(study, now + timedelta(days=8)) == 0
    assert Verdict.objects.count() == 14


def test_before_anything_is_rated_the_plan_says_how_much_it_takes(project):
    study, _ = labelled.start(project, SCORES)
    found = needs.of(study)
    assert found.sentence.startswith("Nothing is rated yet. Some ")
    assert (found.n_rated, found.more, found.decides) == (0, None, None)
    assert found.ratings > found.fewest > 60
    chances = [row["power"] for row in found.power if row["degradation"] == 0.5 * study.floor]
    assert chances == sorted(chances)
    assert [row["n"] for row in found.power][::7] == [100, 200, 400, 800, 1600]


def test_more_ratings_decide_a_threshold_and_a_closed_study_needs_none(project):
    study, _ = labelled.start(project, SCORES, floor=0.2, check_every=0, practice_pairs=0)
    ann = rated.rater("ann")
    for _ in range(6):
        rated.say(rating.hand_out(study, ann), ann)
    found = needs.of(study)
    assert found.more > 0
    assert (
        found.sentence == f"{found.more} more ratings are expected to decide {found.decides:.2f}."
    )
    assert found.decides > 0.2  # up to the floor no rating is needed
    closing.close(study, by=None, basis="by_hand", why="Enough.")
    assert needs.of(study).sentence == "The study is closed: more ratings change nothing."


def test_a_threshold_that_is_not_near_is_not_promised(project):
    study, _ = labelled.start(project, SCORES, floor=0.2)
    labelled.label(study, harmed=lambda score: score > 0.7)
    found = needs.of(study)
    assert found.decides is not None
    assert found.sentence == (
        f"No further threshold is near: {found.decides:.2f} would take some {found.more:,} more "
        "ratings."
    )


def test_a_plan_by_task_type_is_told_which_types_lack_ratings(project):
    add_pairs(project, SCORES[::3], task="chat")
    study, _ = labelled.start(project, SCORES, floor=0.2, by_task=True)
    labelled.label(study)
    found = needs.of(study)
    lacking = {one.task: one.ratings - one.n_rated for one in found.by_task}
    assert (found.more, found.decides) == (None, None)
    assert found.sentence == (f"More ratings for a threshold of their own: chat {lacking['chat']}.")


def test_each_task_is_told_what_it_needs_alone(project):
    add_pairs(project, SCORES[::3], task="chat")
    study, _ = labelled.start(project, SCORES)
    labelled.label(study)
    assert [(one.task, one.n_rated) for one in needs.of(study).by_task] == [
        ("chat", 20), ("math", 60),
    ]  # fmt: skip


def test_the_next_pairs_are_those_of_the_queue(project):
    study, _ = labelled.start(project, SCORES, second_share=0)
    first = list(study.slots.order_by("order").values_list("sampled_pair__stratum", flat=True)[:5])
    found = needs.next_up(study, 5)
    assert sum(n for _, n in found) == 5
    assert dict(found) == {name: first.count(name) for name in first}
