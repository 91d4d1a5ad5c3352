"""Sign-offs end: reminders at 14 and 3 days, then the rule of the plan."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reviews import expiry, rollout
from reviews.errors import Conflict
from reviews.models import Notice
from routing import policy
from tests.reviews.signing import approve, ask, person, rated_study

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def study(project):
    return rated_study(project)


@pytest.fixture
def sign(study, smtp):
    """Return a function that asks and approves; what it returns is live as far as its steps go."""

    def make(**said):
        asks = person("paula", "product", email="paula@example.org")
        row = ask(study, asks, **said)
        row = approve(row, person("erik", "engineering"), person("pat", "product"))
        rollout.run_due()
        return row

    return make


@pytest.fixture
def row(sign):
    """A sign-off whose policy is live."""
    return sign()


def reminders():
    return Notice.objects.filter(event="signoff.expires_soon", to__username="paula").count()


def test_it_reminds_twice_and_once_each(row):
    seen = []
    for days in (15, 14, 10, 3, 1):
        for _ in range(2):
            assert expiry.run_due(row.expires_at - days * DAY) == 0
        seen.append(reminders())
    assert seen == [0, 1, 1, 2, 2]


RULES = ("keep", "always_expensive")


def let_plan_say(study, **fields):
    type(study).objects.filter(pk=study.pk).update(**fields)
    study.refresh_from_db()


@pytest.fixture
def ends(study):
    """Let the plan say that nothing stays when its sign-off expires."""
    let_plan_say(study, after_expiry="always_expensive")


@pytest.mark.parametrize(("rule", "threshold"), [("keep", 0.6), ("always_expensive", 0.0)])
def test_then_the_signed_plan_says_what_happens(study, sign, project, rule, threshold):
    let_plan_say(study, after_expiry=rule)
    row = sign()
    [other] = set(RULES) - {rule}
    let_plan_say(study, after_expiry=other)  # later, and nobody signed that
    assert [expiry.run_due(row.expires_at) for _ in range(2)] == [1, 0]
    row.refresh_from_db()
    assert (row.state, policy.live(project).threshold) == ("expired", threshold)
    assert project.deployments.count() == (2 if rule == "keep" else 3)
    assert Notice.objects.filter(event="signoff.expired", to__username="paula").count() == 1


def test_pages_warn_from_fourteen_days_before(row, project):
    live = policy.live(project)
    found = [expiry.warning(project, live, row.expires_at + n * DAY) for n in (-15, -14, 0)]
    assert [one and one.is_over for one in found] == [None, False, True]
    expiry.run_due(row.expires_at)
    assert expiry.warning(project, live, row.expires_at).is_over


def test_what_is_no_longer_live_ends_without_a_word(ends, row, project):
    erik = person("eve", "engineering")
    rollout.roll_back(project, by=erik, reason="x")
    count = project.deployments.count()
    expiry.run_due(row.expires_at - DAY)
    assert expiry.run_due(row.expires_at) == 1
    row.refresh_from_db()
    assert (row.state, project.deployments.count(), reminders()) == ("expired", count, 0)
    assert expiry.warning(project, policy.live(project), row.expires_at) is None


def next_one(study, **said):
    """Ask for another threshold, approve it and let the first step go."""
    asks, *others = (User.objects.get(username=name) for name in ("paula", "erik", "pat"))
    made = approve(ask(study, asks, 0.4, **said), *others)
    rollout.run_due()
    return made


def test_what_a_ramp_leaves_to_an_expired_policy_goes_by_the_plan_too(ends, study, row, project):
    ramp = [{"share": 0.1, "hours": 700}, {"share": 1, "hours": 0}]
    made = next_one(study, rollout=ramp)
    assert (policy.deployment(project).rest, made.way.done) == (row.policy_after, 0)
    expiry.run_due(row.expires_at)
    live = policy.deployment(project)
    assert (live.policy.threshold, live.rest) == (0.0, None)


def test_nobody_rolls_back_to_what_its_plan_ended(ends, study, row, project):
    made = next_one(study)
    let_plan_say(study, after_expiry="keep")  # later, and nobody signed that
    expiry.run_due(row.expires_at)
    erik = made.approvals.get(role="engineering").user
    with pytest.raises(Conflict, match="expired"):
        rollout.roll_back(project, by=erik, reason="bad", to="previous")
    assert policy.live(project) == made.policy_after
    assert rollout.roll_back(project, by=erik, reason="bad").policy.threshold == 0.0


def test_a_ramp_that_expired_half_way_is_left_before_anything_new_is_asked(study, row, project):
    ramp = [{"share": 0.1, "hours": 700}, {"share": 1, "hours": 0}]
    made = next_one(study, rollout=ramp)
    expiry.run_due(made.expires_at)
    rollout.run_due(made.expires_at)
    with pytest.raises(Conflict, match="10% of requests only"):
        ask(study, row.requester, 0.3)
    erik = made.approvals.get(role="engineering").user
    rollout.roll_back(project, by=erik, reason="over", to="previous")
    assert ask(study, row.requester, 0.3).policy_before == row.policy_after


HALF = [{"share": 0.5, "hours": 700}, {"share": 1, "hours": 0}]


@pytest.mark.parametrize(("rule", "share"), [("keep", 0.5), ("always_expensive", 1.0)])
def test_a_ramp_ends_with_its_sign_off(study, sign, project, rule, share):
    let_plan_say(study, after_expiry=rule)
    row = sign(rollout=HALF)
    expiry.run_due(row.expires_at)
    rollout.run_due(timezone.now() + 200 * DAY)
    row.way.refresh_from_db()
    assert (row.way.state, row.way.why) == ("stopped", "Its sign-off expired.")
    assert policy.deployment(project).share == share


def test_what_stays_after_its_sign_off_can_be_stopped_and_goes_back(sign, project):
    way = sign(rollout=HALF).way
    erik = way.signoff.approvals.get(role="engineering").user
    rollout.pause(way, by=erik, why="wait")
    expiry.run_due(way.signoff.expires_at)
    assert policy.deployment(project).share == 0.5
    way = rollout.stop(way, by=erik, why="over")
    assert (way.state, way.events.last().share) == ("stopped", 0.0)
    assert policy.deployment(project).policy == way.signoff.policy_before


def test_no_step_is_taken_after_the_end_before_anybody_noticed_it(sign, project):
    row = sign(rollout=HALF)
    erik = row.approvals.get(role="engineering").user
    rollout.pause(row.way, by=erik, why="wait")
    rollout.resume(row.way, by=erik, now=row.expires_at - 699 * DAY / 24)
    rollout.run_due(row.expires_at + DAY)
    row.refresh_from_db()
    row.way.refresh_from_db()
    assert (row.state, row.way.why) == ("approved", "Its sign-off expired.")
    assert policy.deployment(project).share == 0.5


def test_it_lasts_as_long_as_its_plan_says(study, sign):
    let_plan_say(study, valid_days=30)
    assert (sign().expires_at - timezone.now()).days == 29
