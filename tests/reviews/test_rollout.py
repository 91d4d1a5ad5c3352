"""An approved policy becomes live step by step; guards, people and rollbacks hold it up."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from reviews import audit, rollout, signoff
from reviews.errors import BadInput, Conflict, NotAllowed
from reviews.models import Rollout, RolloutEvent, SignedDeployment
from routing import policy, proportions, recording
from routing.models import Deployment
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Tier
from tests.reviews.race import after
from tests.reviews.rows import reply
from tests.reviews.signing import approve, ask, person, rated_study
from tests.reviews.test_missing import lose

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
RAMP = [{"share": 0.1, "hours": 24}, {"share": 0.5, "hours": 12}, {"share": 1, "hours": 0}]


@pytest.fixture
def people():
    return {
        "asks": person("paula", "product"),
        "engineer": person("erik", "engineering"),
        "product": person("pat", "product"),
    }


@pytest.fixture
def study(project):
    return rated_study(project)


@pytest.fixture
def approved(study, people):
    """Return a function that asks and approves; its answer is the rollout."""

    def make(**said):
        row = ask(study, people["asks"], **said)
        return approve(row, people["engineer"], people["product"]).way

    return make


def live(project):
    row = policy.deployment(project)
    return row.policy.threshold, row.share, row.rest.threshold if row.rest else None


def go_on(way, user, **said):
    """Take the next step by hand, on a page that was made just now."""
    return rollout.go_on(way, by=user, seen=way.last_event_id, **said)


def test_at_once_is_live_with_the_next_round_and_only_once(approved, project):
    way = approved()
    assert live(project) == (0.0, 1.0, None)
    assert (rollout.run_due(), rollout.run_due()) == (1, 0)
    assert live(project) == (0.6, 1.0, None)
    way.refresh_from_db()
    assert (way.state, way.next_at, Deployment.objects.count()) == ("complete", None, 2)


def test_a_time_is_waited_for(approved, project):
    at = timezone.now() + 5 * HOUR
    approved(at=at)
    assert rollout.run_due(at - HOUR) == 0
    assert live(project)[0] == 0.0
    assert rollout.run_due(at) == 1
    assert live(project)[0] == 0.6


def test_a_ramp_goes_up_with_the_clock(approved, project):
    way, now = approved(rollout=RAMP), timezone.now() + HOUR
    seen = []
    for hours in (0, 1, 24, 35, 36, 100):
        rollout.run_due(now + hours * HOUR)
        rollout.run_due(now + hours * HOUR)  # again: nothing
        seen.append(live(project))
    assert seen == [
        (0.6, 0.1, 0.0), (0.6, 0.1, 0.0), (0.6, 0.5, 0.0), (0.6, 0.5, 0.0), (0.6, 1.0, None),
        (0.6, 1.0, None),
    ]  # fmt: skip
    assert [(one.kind, one.share) for one in way.events.all()] == [
        ("deployed", 0.1), ("deployed", 0.5), ("deployed", 1.0),
    ]  # fmt: skip
    assert {f["name"] for f in way.events.last().figures} == {
        "errors", "fallbacks", "shadow_failed",
    }  # fmt: skip


def served(by, error):
    """Return a request that a policy decided just now."""
    return Served(
        uuid4(), timezone.now(), by.project_id, None, by.pk, "anthropic",
        ChatRequest({"messages": []}, "q", "auto"),
        DecisionValue(Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD, 0.4, 0.9),
        500 if error else 200, error, "simulated", None if error else reply("a"), None, 0.0, 1.0,
        2.0,
    )  # fmt: skip


def failing_requests(way, n=30):
    """Let requests of the new policy fail, and as many of the old one succeed, since the step."""
    target, before = way.signoff.policy_after, way.signoff.policy_before
    recording.write([served(target, "provider_error: 500") for _ in range(n)])
    recording.write([served(before, "") for _ in range(n)])


@pytest.mark.parametrize(
    ("rule", "state", "share"), [("hold", "paused", 0.1), ("back", "stopped", 1.0)]
)
def test_a_failed_guard_stops_the_ramp_as_the_request_said(approved, project, rule, state, share):
    way, now = approved(rollout=RAMP, if_guard_fails=rule), timezone.now() + HOUR
    rollout.run_due(now)
    failing_requests(way)
    rollout.run_due(now + 25 * HOUR)
    way.refresh_from_db()
    event = way.events.last()
    assert (way.state, event.kind, live(project)[1]) == (state, "guard_failed", share)
    assert live(project)[0] == (0.6 if rule == "hold" else 0.0)
    errors = next(f for f in event.figures if f["name"] == "errors")
    assert (errors["x_new"], errors["n_new"], errors["x_rest"], errors["n_rest"]) == (30, 30, 0, 30)
    assert errors["p_value"] < proportions.WORSE_BELOW
    assert "Errors: 30 of 30" in way.why
    assert rollout.run_due(now + 500 * HOUR) == 0


def test_a_person_goes_on_past_a_guard_with_a_reason_and_that_is_kept(approved, project, people):
    way, now = approved(rollout=RAMP), timezone.now() + HOUR
    rollout.run_due(now)
    failing_requests(way)
    rollout.run_due(now + 25 * HOUR)
    with pytest.raises(BadInput, match="Errors: 30 of 30"):
        go_on(way, people["engineer"], why=" ")
    way = go_on(way, people["engineer"], why="They were our own.", now=now + 26 * HOUR)
    event = way.events.last()
    assert (event.by, event.kind, live(project)[1]) == (people["engineer"], "deployed", 0.5)
    noted = audit.about(project, f"signoff {way.signoff_id}")[-1]
    for why in (event.why, noted.detail["why"]):
        assert why.startswith("They were our own.; Errors: 30 of 30")


@pytest.mark.parametrize(("rule", "state"), [("hold", "paused"), ("back", "stopped")])
def test_what_came_up_after_the_signatures_stands_against_the_first_step(
    approved, project, people, rule, state
):
    way = approved(if_guard_fails=rule)
    for place in range(30):
        lose(project, place / 30, tier="expensive")
    rollout.run_due()
    way.refresh_from_db()
    event = way.events.get()
    assert (way.state, event.kind, live(project)[0]) == (state, "guard_failed", 0.0)
    assert event.why.startswith("Missing")
    if state == "paused":
        go_on(way, people["engineer"], why="A provider was down.")
        assert live(project)[0] == 0.6


def test_who_did_not_see_the_guard_fail_does_not_go_past_it(approved, project, people):
    way, now = approved(rollout=RAMP), timezone.now() + HOUR
    rollout.run_due(now)
    seen = way.last_event_id
    failing_requests(way)
    rollout.run_due(now + 25 * HOUR)
    with pytest.raises(Conflict, match="moved on"):
        rollout.go_on(way, by=people["engineer"], seen=seen, why="Faster.")
    assert live(project)[1] == 0.1


def test_people_pause_go_on_and_stop(approved, project, people):
    way, now, erik = approved(rollout=RAMP), timezone.now() + HOUR, people["engineer"]
    way = go_on(way, erik, now=now)
    assert live(project) == (0.6, 0.1, 0.0)
    way = rollout.pause(way, by=erik, why="lunch")
    assert rollout.run_due(now + 100 * HOUR) == 0
    way = rollout.resume(way, by=erik, now=now + 100 * HOUR)
    assert way.next_at == now + 124 * HOUR
    way = rollout.stop(way, by=erik, why="enough")
    assert (way.state, live(project)) == ("stopped", (0.0, 1.0, None))
    kinds = list(way.events.values_list("kind", flat=True))
    assert kinds == ["deployed", "paused", "resumed", "stopped"]
    events = [row.event for row in audit.about(project, f"signoff {way.signoff_id}")][-4:]
    assert events == [f"rollout.{kind}" for kind in kinds]


def test_what_was_paused_before_its_time_still_waits_for_it(approved, project, people):
    at, erik = timezone.now() + 5 * HOUR, people["engineer"]
    way = rollout.pause(approved(at=at), by=erik, why="lunch")
    way = rollout.resume(way, by=erik)
    assert (way.state, way.next_at) == ("waiting", at)
    assert (rollout.run_due(at - HOUR), rollout.run_due(at)) == (0, 1)


def test_what_was_paused_beyond_its_time_begins_when_it_goes_on(approved, people):
    at, erik = timezone.now() + 5 * HOUR, people["engineer"]
    way = rollout.pause(approved(at=at), by=erik, why="lunch")
    assert rollout.resume(way, by=erik, now=at + HOUR).next_at == at + HOUR


ACTS = {
    "next": go_on,
    "pause": lambda way, user: rollout.pause(way, by=user, why="x"),
    "resume": lambda way, user: rollout.resume(way, by=user),
    "stop": lambda way, user: rollout.stop(way, by=user, why="x"),
}
#: What may be done in which state by who may deploy.
MAY = {
    "waiting": {"next", "pause", "stop"},
    "running": {"next", "pause", "stop"},
    "paused": {"next", "resume", "pause", "stop"},
    "stopped": set(),
    "complete": set(),
}


def is_done(act, way, user):
    try:
        with transaction.atomic():
            act(way, user)
            transaction.set_rollback(True)
    except (NotAllowed, Conflict):
        return False
    return True


@pytest.mark.parametrize("state", MAY)
def test_what_may_be_done_in_which_state(approved, people, state):
    way, erik = approved(rollout=RAMP), people["engineer"]
    if state != "waiting":
        way = go_on(way, erik)
    if state == "paused":
        way = rollout.pause(way, by=erik, why="x")
    if state == "stopped":
        way = rollout.stop(way, by=erik, why="x")
    while state == "complete" and way.is_active:
        way = go_on(way, erik)
    assert way.state == state
    assert {name for name, act in ACTS.items() if is_done(act, way, erik)} == MAY[state]
    others = (people["product"], person("rae", "rater"), person("lee", "lead"))
    assert not any(is_done(act, way, user) for act in ACTS.values() for user in others)


def test_without_a_word_nothing_is_paused_stopped_or_rolled_back(approved, project, people):
    way, erik = approved(), people["engineer"]
    for act in (
        lambda: rollout.pause(way, by=erik, why=" "),
        lambda: rollout.stop(way, by=erik, why=""),
        lambda: rollout.roll_back(project, by=erik, reason=" "),
    ):
        with pytest.raises(BadInput):
            act()


@pytest.mark.parametrize("to", ["always_expensive", "previous"])
def test_a_rollback_ends_the_ramp(approved, project, people, to):
    way = approved(rollout=RAMP)
    rollout.run_due()
    rollout.roll_back(project, by=people["engineer"], reason="fire", to=to)
    way.refresh_from_db()
    assert (way.state, live(project)) == ("stopped", (0.0, 1.0, None))
    assert rollout.run_due(timezone.now() + 500 * HOUR) == 0
    noted = audit.about(project, f"deployment {policy.deployment(project).pk}")
    assert noted[-1].detail["why"] == "fire"


def test_a_rollback_to_the_signed_policy_before_is_deployed(approved, project, people):
    approved(threshold=0.3)
    rollout.run_due()
    approved(threshold=0.6)
    rollout.run_due()
    rollout.roll_back(project, by=people["engineer"], reason="too much", to="previous")
    assert live(project) == (0.3, 1.0, None)


def test_nothing_before_is_no_rollback(project, people):
    with pytest.raises(Conflict):
        rollout.roll_back(project, by=people["engineer"], reason="x", to="previous")
    with pytest.raises(NotAllowed):
        rollout.roll_back(project, by=people["product"], reason="x")


def test_a_rollout_that_was_overtaken_ends_by_itself(approved, project, people):
    way = approved(rollout=RAMP)
    policy.roll_back(project, by=people["engineer"], reason="by another way")
    rollout.run_due()
    way.refresh_from_db()
    assert (way.state, way.why) == ("stopped", "Another policy went live meanwhile.")
    assert live(project)[0] == 0.0


def test_a_new_request_waits_for_the_rollout(approved, study, people):
    approved(rollout=RAMP)
    with pytest.raises(Conflict, match="rollout is under way"):
        ask(study, people["asks"])


@pytest.mark.django_db(transaction=True)
def test_a_rollback_and_a_step_at_once_end_rolled_back(approved, project, people):
    way = approved(rollout=RAMP)
    erik = people["engineer"]
    after(
        lambda: rollout.roll_back(project, by=erik, reason="fire"),
        lambda: rollout.run_due(timezone.now() + HOUR),
    )
    way.refresh_from_db()
    assert (way.state, live(project)[0]) == ("stopped", 0.0)
    assert not RolloutEvent.objects.filter(kind="deployed").exists()


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_take_one_step(approved, people):
    way, refused = approved(rollout=RAMP), []

    def click():
        rollout.go_on(way, by=people["engineer"], seen=0)

    def click_again():
        try:
            click()
        except Conflict as exc:
            refused.append(str(exc))

    after(click, click_again)
    assert (Rollout.objects.get().done, refused) == (1, ["It moved on meanwhile; look again."])


@pytest.mark.django_db(transaction=True)
def test_two_workers_take_one_step(approved, project):
    approved(rollout=RAMP)
    now = timezone.now() + HOUR
    after(lambda: rollout.run_due(now), lambda: rollout.run_due(now))
    assert RolloutEvent.objects.count() == 1
    assert live(project)[1] == 0.1


# --- what Postgres refuses --------------------------------------------------------------------


def refused(target, **fields):
    with pytest.raises(DatabaseError, match="approved sign-off"), transaction.atomic():
        Deployment.objects.create(project=target.project, policy=target, reason="by hand", **fields)


def test_postgres_refuses_a_policy_that_nobody_approved(project, approved, people):
    first = policy.live(project)
    refused(policy.with_threshold(first, 0.5, "by hand"))
    refused(policy.with_threshold(first, 0.0, "by hand", {"math": 0.2}))
    SignedDeployment.objects.create(
        project=project, policy=policy.with_threshold(first, 0.0, "safe"), reason="safe"
    )
    refused(first_with(first, 0.5), share=0.5, rest=first)


def first_with(first, threshold):
    return policy.with_threshold(first, threshold, "by hand")


def test_postgres_refuses_a_request_that_is_not_approved_yet(study, people, project):
    row = ask(study, people["asks"])
    refused(policy.with_threshold(row.policy_before, row.threshold, "early"))
    done = approve(row, people["engineer"], people["product"])
    policy.deploy(done.policy_after, by=None, reason="approved")
    assert live(project)[0] == 0.6


def test_the_demo_is_free_of_it_and_no_other_project_becomes_one(project, demo):
    target = policy.with_threshold(policy.live(demo), 0.5, "demo")
    assert policy.deploy(target, by=None, reason="demo").policy == target
    with pytest.raises(DatabaseError, match="kind a project is"), transaction.atomic():
        type(project).objects.filter(pk=project.pk).update(kind="demo")


def test_one_rollout_moves_at_a_time(approved, project):
    way = approved(rollout=RAMP)
    with pytest.raises(DatabaseError, match="rollout"), transaction.atomic():
        Rollout.objects.create(
            project=project, signoff=way.signoff, steps=[], next_at=timezone.now()
        )


def test_what_a_rollout_did_stays(approved):
    approved()
    rollout.run_due()
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        RolloutEvent.objects.update(share=0.2)


@pytest.mark.parametrize(
    "act",
    [
        lambda rows: rows.update(steps=[{"share": 1, "hours": 0}]),
        lambda rows: rows.delete(),
    ],
)
def test_postgres_keeps_the_steps_that_were_signed(approved, act):
    approved(rollout=RAMP)

    def change():
        act(Rollout.objects.all())
        connection.check_constraints()

    with pytest.raises(DatabaseError, match="were signed|stay as long as"), transaction.atomic():
        change()
    assert Rollout.objects.get().steps == RAMP


def test_a_sign_off_whose_rollout_runs_takes_no_edit(approved, people):
    row = approved().signoff
    with pytest.raises(Conflict):
        signoff.edit(row, user=people["asks"], threshold=0.1, reason="x")
