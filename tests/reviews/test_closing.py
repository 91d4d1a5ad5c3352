"""A study ends once, on a basis that is true, and keeps what it ended with."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reviews import calibration, closing, estimation, planning, rating, tasks
from reviews.errors import BadInput, Conflict
from reviews.models import Study
from routing.models import ShadowJob
from tests.reviews import labelled, race, rated
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db
SCORES = [nth / 60 for nth in range(60)]


@pytest.fixture
def lead():
    return User.objects.create_user("lena")


def test_a_window_that_is_over_closes_with_all_that_was_said(project, lead):
    study, _ = labelled.start(project, SCORES, floor=0.2)
    labelled.label(study)
    moment = estimation.Moment.now(study)
    labelled.end_window(study)
    closing.close(study, by=lead, basis="window")
    found = calibration.certificate(study)
    assert (study.state, study.closed_by, study.closed_basis) == ("closed", lead, "window")
    assert calibration.moment_of(study) == moment
    assert (found.is_final, found.order, found.threshold) == (True, "hash", 1.01)
    assert not study.plan_changes.exists()


def test_it_closes_once(project, lead):
    study, _ = labelled.start(project, [0.2])
    closing.close(study, by=lead, basis="by_hand", why="Enough.")
    closed_at = study.closed_at
    with pytest.raises(Conflict):
        closing.close(study, by=lead, basis="by_hand", why="Again.")
    study.refresh_from_db()
    assert (study.closed_at, study.closed_why) == (closed_at, "Enough.")


def test_by_hand_it_takes_a_word_why_and_is_a_deviation(project, lead):
    study, _ = labelled.start(project, SCORES[:5])
    with pytest.raises(BadInput):
        closing.close(study, by=lead, basis="by_hand", why=" ")
    closing.close(study, by=lead, basis="by_hand", why="The project ends.")
    (row,) = study.plan_changes.all()
    assert (row.field, row.reason, row.by) == ("window", "The project ends.", lead)
    assert calibration.certificate(study).order == "arrival"


@pytest.mark.parametrize(("days", "threshold"), [(10, 1.01), (6, None)])
def test_labels_that_were_imported_allow_no_other_end_by_hand_than_ratings(
    project, lead, days, threshold
):
    study, _ = labelled.start(project, [nth / 90 for nth in range(90)], floor=0.2)
    labelled.label(study)
    labelled.spread(study, days=days)
    said = closing.consequence(study)
    assert ("1.01 would be certified" in said) == bool(threshold)
    assert ("Before the first week of its traffic is over" in said) != bool(threshold)
    closing.close(study, by=lead, basis="by_hand", why="All recorded answers are in.")
    assert calibration.certificate(study).threshold == threshold


@pytest.mark.parametrize("basis", ["window", "early", "futile"])
def test_a_basis_that_is_not_true_is_refused(project, lead, basis):
    study, _ = labelled.start(project, SCORES[:5])
    with pytest.raises(Conflict):
        closing.close(study, by=lead, basis=basis)
    assert Study.objects.get().state == "running"


def test_requests_under_way_hold_the_windows_end_up(project, lead):
    study, _ = labelled.start(project, SCORES[:5])
    labelled.label(study)
    pair = add_pair(project, 0.5)
    ShadowJob.objects.filter(request=pair.request_id).update(state="pending", finished_at=None)
    pair.delete()
    labelled.end_window(study)
    with pytest.raises(Conflict, match="1 requests still wait"):
        closing.close(study, by=lead, basis="window")
    assert closing.close_due() == []


def test_what_is_due_is_closed_by_the_clock_and_nothing_else(project):
    done, _ = labelled.start(project, SCORES[:5])
    labelled.label(done)
    tasks.close_studies()
    done.refresh_from_db()
    assert done.state == "running"  # its window is not over
    labelled.end_window(done)
    tasks.close_studies()
    tasks.close_studies()
    done.refresh_from_db()
    assert (done.state, done.closed_by, done.closed_basis) == ("closed", None, "window")


def test_an_unrated_pair_holds_the_clock_up_but_not_a_person(project, lead):
    study, pairs = labelled.start(project, SCORES[:10])
    labelled.label(study, pairs=pairs[1:])
    labelled.end_window(study)
    assert (closing.n_unrated(study), closing.close_due()) == (1, [])
    closing.close(study, by=lead, basis="window")
    assert calibration.certificate(study).n_waiting == 1


def test_pairs_beyond_the_budget_hold_nothing_up(project):
    study, _ = labelled.start(project, SCORES[:10], rating_budget=4, check_every=0)
    ann = rated.rater("ann")
    for left in (3, 2, 1, 0):
        rated.say(rating.hand_out(study, ann), ann)
        assert closing.n_unrated(study) == left
    labelled.end_window(study)
    assert closing.close_due() == [study]
    assert calibration.certificate(study).n_rated == 4


def test_a_closed_study_hands_nothing_out_and_takes_nothing_in(project, lead):
    study, _ = labelled.start(project, SCORES[:5])
    ann = rated.rater("ann")
    shown = rating.hand_out(study, ann)
    closing.close(study, by=lead, basis="by_hand", why="Enough.")
    with pytest.raises(Conflict):
        rated.say(shown, ann)
    assert rating.hand_out(study, ann) is None


@pytest.fixture
def early(project):
    """A study of ten days whose pairs are all rated and harmless."""
    study, _ = labelled.start(project, [nth / 90 for nth in range(90)], floor=0.2)
    labelled.label(study)
    labelled.spread(study, days=10)
    return study


def test_a_study_may_stop_early_on_whole_days(early, lead):
    assert "1.01 is certified already" in closing.can_stop_early(early)
    closing.close(early, by=lead, basis="early")
    found = calibration.certificate(early)
    assert (found.order, round(found.delta, 12), found.threshold) == ("arrival", 0.01, 1.01)
    assert not early.plan_changes.exists()


def test_a_plan_without_early_looks_has_none(early, lead):
    planning.change(early, {"early_stop": False}, by=lead, reason="No looks.")
    assert closing.can_stop_early(early) is None


def test_a_week_has_to_go_by_first(early):
    labelled.spread(early, days=6)
    assert closing.can_stop_early(early) is None


def test_a_budget_that_is_used_up_allows_no_early_look(early):
    Study.objects.filter(pk=early.pk).update(rating_budget=80)
    early.refresh_from_db()
    assert closing.can_stop_early(early) is None


def test_after_its_window_a_study_does_not_stop_early(early):
    now = timezone.now() + timedelta(days=15)
    assert closing.can_stop_early(early, now) is None


def test_a_hopeless_router_is_futile(project, lead):
    study, _ = labelled.start(project, [nth / 90 for nth in range(90)], floor=0.05)
    labelled.label(study, harmed=lambda score: True)
    labelled.spread(study, days=10)
    assert closing.is_futile(study)
    assert closing.can_stop_early(study) is None
    closing.close(study, by=lead, basis="futile")
    assert (calibration.certificate(study).threshold, closing.is_futile(study)) == (None, False)


def test_the_consequence_is_said_before(project):
    study, _ = labelled.start(project, SCORES, floor=0.2, early_stop=False)
    labelled.label(study)
    said = closing.consequence(study)
    assert "no threshold would be certified, on 60 rated pairs. Before the end of the" in said
    assert "noted as a deviation" in said
    labelled.end_window(study)
    said = closing.consequence(study)
    assert "1.01 would be certified, on 60 rated pairs." in said
    assert "deviation" not in said


@pytest.mark.django_db(transaction=True)
def test_two_who_close_at_once_close_it_once(project):
    study, _ = labelled.start(project, SCORES[:3])

    ends = []

    def close():
        try:
            closing.close(Study.objects.get(pk=study.pk), by=None, basis="by_hand", why="Enough.")
        except Conflict:
            ends.append("refused")
        else:
            ends.append("closed")

    race.after(close, close)
    assert ends == ["closed", "refused"]
    assert study.plan_changes.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_rating_that_is_being_written_still_counts(project):
    study, _ = labelled.start(project, SCORES[:3], check_every=0)
    ann = rated.rater("ann")
    shown = rating.hand_out(study, ann)
    race.after(
        lambda: rated.say(shown, ann),
        lambda: closing.close(study, by=None, basis="by_hand", why="Enough."),
    )
    study.refresh_from_db()
    assert calibration.moment_of(study) == estimation.Moment.now(study)
    assert study.closed_verdict > 0


def test_by_hand_it_says_how_many_wait_for_their_second_answer(project, lead):
    study, _ = labelled.start(project, SCORES[:5])
    open_jobs = ShadowJob.objects.order_by("pk").values("pk")[:2]
    ShadowJob.objects.filter(pk__in=open_jobs).update(state="pending", finished_at=None)
    assert " 2 requests that wait for a second answer are left out." in closing.consequence(study)
    closing.close(study, by=lead, basis="by_hand", why="E" * 300)
    left_out = " 2 requests still waited for a second answer and are left out."
    assert (len(study.closed_why), study.closed_why.endswith(left_out)) == (200, True)
    assert study.plan_changes.get().reason == "E" * 300 + left_out
