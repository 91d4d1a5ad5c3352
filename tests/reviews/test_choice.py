"""What a choice of thresholds routes, breaks and saves: rows followed by hand."""

import pytest

from reviews import choice, estimation
from reviews.choice import Thresholds
from tests.reviews.test_parts import make

pytestmark = pytest.mark.django_db


def rows(study):
    return estimation.rows(study, "human", estimation.Moment.now(study))


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.6, 1.01])
def test_one_threshold_for_all_is_its_point_of_the_curve(project, threshold):
    study = make(project, [0.1, 0.2, 0.3, 0.4], worse=[1], tasks=("math", "code"))
    found = choice.point(rows(study), Thresholds(threshold))
    assert found.pop("thresholds") == {}
    expected = estimation.point_at(estimation.estimate(study), threshold)
    assert found == pytest.approx(expected, nan_ok=True)


def test_thresholds_by_task_type_are_estimated_together(project):
    # Of math are 0.1 and 0.3, of code 0.2 and 0.4; the first and the last are made worse.
    study = make(project, [0.1, 0.2, 0.3, 0.4], worse=[0, 3], tasks=("math", "code"))
    found = choice.point(rows(study), Thresholds(0.0, {"math": 0.2, "code": 0.3}))
    assert (found["cheap_share"], found["cheap_count"], found["degradation"]) == (0.5, 2, 0.25)
    assert (found["saving_share"], found["n_harm"]) == (pytest.approx(0.4), 4)
    assert (found["threshold"], found["thresholds"]) == (0.0, {"math": 0.2, "code": 0.3})


def test_between_two_points_of_the_curve_nothing_is_rounded(project):
    study = make(project, [0.114, 0.116])
    assert choice.point(rows(study), Thresholds(0.115))["cheap_share"] == 0.5


def test_above_the_largest_threshold_quality_is_not_known_and_cost_is(project):
    study = make(project, [0.1, 0.2, 0.3, 0.8], worse=[0], largest_threshold=0.5)
    within, beyond = (choice.point(rows(study), Thresholds(at)) for at in (0.5, 0.9))
    assert (within["degradation"], within["cheap_share"]) == (0.25, 0.75)
    assert (beyond["degradation"], beyond["adequacy"], beyond["cheap_share"]) == (None, None, 1.0)
    assert (beyond["degradation_low"], beyond["degradation_high"]) == (0.0, 1.0)
    assert beyond["saving_share"] == pytest.approx(0.8)
