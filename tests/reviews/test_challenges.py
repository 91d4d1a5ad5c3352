"""A challenger is compared, studied on the live router's pairs, signed, and takes its place."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from reviews import (
    calibration,
    challenges,
    choice,
    closing,
    estimation,
    evidence,
    outcomes,
    rating,
    rollout,
    sampling,
    scoring,
    switches,
    whatif,
)
from reviews.choice import Thresholds
from reviews.errors import BadInput, Conflict, NotAllowed
from reviews.models import AuditEntry, SignOff, Study, TrainingExample, TrainingRun, Verdict
from reviews.plan import Plan
from routing import challenging, policy
from routing.models import Challenger, Request
from routing.types import Reason
from tests.reviews import labelled
from tests.reviews.challenged import challenger, people, say, version
from tests.reviews.rows import add_pair
from tests.reviews.signing import approve, ask, person

pytestmark = pytest.mark.django_db
PLAN = {"name": "Before it decides", "rate": 1.0, "largest_threshold": 1.01}


@pytest.fixture
def router(project):
    return version(project=project)


def studied(project, router, scores, by=None, score=lambda own: 1 - own, **plan):
    """Return a running study of a challenger, with pairs that it scored."""
    pairs = [add_pair(project, own) for own in scores]
    row = challenger(project, router)
    say(router, pairs, score)
    by = by or person("lena", "lead")
    return challenges.study(row, Plan(**PLAN | plan), seed="7", by=by), pairs


def test_starting_and_stopping_takes_the_right_and_is_in_the_trail(project, router):
    lead, _ = people()
    with pytest.raises(NotAllowed):
        challenges.start(project, router, person("rita", "rater"))
    row = challenges.start(project, router, lead)
    with pytest.raises(Conflict, match="challenges already"):
        challenges.start(project, router, lead)
    challenges.stop(row, lead)
    challenges.stop(row, lead)
    row.refresh_from_db()
    assert row.stopped_at
    assert challenges.start(project, router, lead).pk != row.pk
    told = AuditEntry.objects.filter(project=project).order_by("number")
    begun, ended = "challenger.started", "challenger.stopped"
    assert list(told.values_list("event", flat=True)) == [begun, ended, begun]


def test_a_challenger_that_is_stopped_for_what_it_does_is_in_the_trail_once(project, router):
    lead, _ = people()
    row = challenges.start(project, router, lead)
    for _ in range(2):
        challenging._stop(row, "It took 30 s.")
    told = AuditEntry.objects.get(project=project, event="challenger.stopped")
    assert (told.actor, told.subject) == ("", f"challenger {row.pk}")
    assert told.detail["why"] == Challenger.objects.get().stopped_because == "It took 30 s."


def test_the_live_router_another_projects_and_one_that_asks_first_cannot_challenge(project, demo):
    lead, _ = people()
    with pytest.raises(Conflict, match="decides already"):
        challenges.start(project, policy.live(project).router, lead)
    with pytest.raises(BadInput, match="another project"):
        challenges.start(project, version("theirs", project=demo), lead)
    with pytest.raises(BadInput, match="no kind"):
        challenges.start(project, version("odd", kind="no-such-kind"), lead)


def test_a_challenger_is_compared_with_the_live_router_on_what_that_one_decided(project, router):
    pairs = [add_pair(project, own) for own in (0.1, 0.2, 0.6, 0.9)]
    row = challenger(project, router)
    say(router, pairs, lambda own: None if own == 0.9 else 1 - own)
    live = policy.live(project)
    assert challenges.standing(row, live).switches == (0, 0, 0, 4)  # at threshold 0
    live = policy.create(
        project=project, router=live.router, threshold=0.5, cheap=live.tier_spec("cheap"),
        expensive=live.tier_spec("expensive"),
    )  # fmt: skip
    found = challenges.standing(row, live)
    assert (found.n_scored, found.n_failed) == (4, 1)
    assert found.switches == (0, 1, 2, 1)
    assert found.switches.share == 0.75
    assert found.correlation == pytest.approx(-1)
    assert (found.ranking, found.n_labels) == (None, 0)


def test_without_any_score_nothing_is_said(project, router):
    found = challenges.standing(challenger(project, router), policy.live(project))
    assert (found.n_scored, found.switches.share, found.correlation) == (0, None, None)


def test_both_rank_the_labelled_pairs_of_the_challengers_time(project, router):
    """The challenger ranks most labels right, the live router most of them wrong."""
    study, _ = labelled.start(project, [n / 120 for n in range(120)], rate=0.0001, train_rate=0.9)
    row = challenger(project, router)
    Challenger.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(days=1))
    row.refresh_from_db()
    pairs = [draw.pair for draw in study.sample.select_related("pair")]
    say(router, pairs, lambda own: 1 - own)
    rita = rating.rater_of(person("rita", "rater"))
    for draw in study.sample.filter(selected=True, purpose="train").select_related("pair"):
        is_harm = (draw.pair.score < 0.5) != (draw.pair_id % 11 == 0)
        Verdict.objects.create(
            study=study, pair=draw.pair, rater=rita,
            preference="expensive" if is_harm else "tie", cheap_adequate=not is_harm,
            expensive_adequate=True,
        )  # fmt: skip
    found = challenges.standing(row, policy.live(project))
    assert found.n_labels > challenges.FEWEST_LABELS
    assert found.ranking.one.value > 0.85
    assert found.ranking.other.value < 0.15
    assert found.ranking.difference.interval.low > 0.5
    learnt = timezone.now() + timedelta(minutes=1)
    late = challenger(project, version("router-3", trained_until=learnt))
    assert challenges.standing(late, policy.live(project)).n_labels == 0


def test_its_study_draws_from_what_it_scored_by_its_scores(project, router):
    study, pairs = studied(project, router, [0.1, 0.2, 0.9], largest_threshold=0.85)
    unscored = add_pair(project, 0.4)
    sampling.extend(study)
    drawn = dict(study.sample.values_list("pair", "inclusion_probability"))
    assert drawn == {pairs[0].pk: 0.0, pairs[1].pk: 1.0, pairs[2].pk: 1.0}
    say(router, [unscored], lambda own: own)
    sampling.extend(study)
    assert study.sample.filter(pair=unscored).exists()
    assert sampling.preview(study.policy, Plan(**PLAN), is_challenge=True).pairs == 4
    frame = estimation.rows(study, "human", estimation.Moment.now(study)).frame
    assert frame.score.tolist() == pytest.approx([0.9, 0.8, 0.1, 0.4])
    assert study.sample.get(pair=pairs[1]).stratum == "math/4"


def test_pairs_wait_for_its_score_and_the_study_does_not_close_before(project, router):
    study, _ = studied(project, router, [0.1, 0.2])
    waits = add_pair(project, 0.4)
    for _ in range(3):
        add_pair(project, 0.5)
        sampling.extend(study)
    labelled.end_window(study)
    with pytest.raises(Conflict, match="4 requests still wait"):
        closing.close(study, by=None, basis="window")
    say(router, [waits], lambda own: own)
    sampling.extend(study)
    assert study.sample.filter(pair=waits).exists()
    Challenger.objects.update(stopped_at=timezone.now())
    assert closing.close(study, by=None, basis="window").closed_at


def test_no_study_takes_in_what_trained_its_router(project):
    old, new = add_pair(project, 0.2), add_pair(project, 0.3)
    learnt = timezone.now() - timedelta(hours=1)
    Request.objects.filter(pk=old.request_id).update(received_at=learnt)
    router = version(project=project, trained_until=learnt)
    row = challenger(project, router)
    say(router, [old, new], lambda own: own)
    study = challenges.study(row, Plan(**PLAN), seed="7", by=person("lena", "lead"))
    assert list(study.sample.values_list("pair", flat=True)) == [new.pk]
    assert sampling.window(study)[0] == learnt + timedelta(microseconds=1)


def test_a_pair_that_trained_its_router_is_left_out_whatever_the_version_says(project, router):
    """Postgres would refuse to draw it, and the whole group with it."""
    pairs = [add_pair(project, 0.2), add_pair(project, 0.3)]
    run = TrainingRun.objects.create(project=project, name="r", kind="constant", router=router)
    TrainingExample.objects.create(
        run=run, pair=pairs[0], source="human", cheap_ok=1, expensive_ok=1, provenance={}, score=0.2
    )
    row = challenger(project, router)
    say(router, pairs, lambda own: own)
    study = challenges.study(row, Plan(**PLAN), seed="7", by=person("lena", "lead"))
    assert list(study.sample.values_list("pair", flat=True)) == [pairs[1].pk]


def test_its_study_abstains_by_the_rules_that_are_live_now(project, router):
    lead, _ = people()
    before, _ = studied(project, router, [0.1], by=lead)
    now = policy.create(
        project=project, router=policy.live(project).router, threshold=0.0,
        cheap=policy.live(project).tier_spec("cheap"), abstain=["tools"],
        expensive=policy.live(project).tier_spec("expensive"),
    )  # fmt: skip
    policy.deploy(now, by=None, reason="test")
    say(router, [add_pair(project, 0.3)], lambda own: own)
    row = Challenger.objects.get()
    assert sampling.preview(challenges.draft(row), Plan(**PLAN), is_challenge=True).pairs == 1
    study = challenges.study(row, Plan(**PLAN), seed="8", by=lead)
    assert before.policy.abstain != study.policy.abstain == ["tools"]
    assert study.sample.count() == 1
    assert scoring.fits(study, now)


def test_no_pair_waits_for_a_score_that_never_comes(project, router):
    study, _ = studied(project, router, [0.1, 0.2])
    add_pair(project, None, reason=Reason.FALLBACK)  # of a conversation that stayed with CHEAP
    waits = add_pair(project, 0.3)
    assert list(sampling.waiting(study)) == [waits]
    challenging.run()
    assert not sampling.waiting(study).exists()
    labelled.end_window(study)
    assert closing.close(study, by=None, basis="window").closed_at


def test_the_database_keeps_what_a_study_is_about(project, router):
    """A sign-off lets the studied router live: nobody makes it another one afterwards."""
    study, _ = labelled.start(project, [0.1])
    for change in ({"router": router}, {"is_challenge": True}, {"seed": "8"}):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
            Study.objects.filter(pk=study.pk).update(**change)


def test_two_studies_of_a_challenger_share_the_policy_that_is_studied(project, router):
    lead, _ = people()
    study, _ = studied(project, router, [0.1], by=lead)
    again = challenges.study(Challenger.objects.get(), Plan(**PLAN), seed="8", by=lead)
    assert again.policy == study.policy
    assert (study.policy.threshold, study.policy.router) == (0.0, router)
    assert policy.live(project) != study.policy
    assert calibration.arrays(again).about.n_others == 0


def test_what_switches_is_against_the_live_routers_scores(unsigned, project, router):
    study, pairs = studied(project, router, [0.1, 0.2, 0.9])
    live = policy.with_threshold(policy.live(project), 0.5, "live")
    policy.deploy(live, by=None, reason="test")
    estimate, before = estimation.estimate(study), Thresholds(0.5)
    found = switches.find(study, estimate, before, Thresholds(0.5), live)
    assert found.is_switching.tolist() == [True, True, True]
    assert found.to_cheap.tolist() == [False, False, True]
    assert found.n_unknown == 0
    rows = estimation.rows(study, "human", estimate.moment)
    assert choice.live_point(study, rows, live)["cheap_count"] == 2
    assert choice.point(rows, Thresholds(0.5))["cheap_count"] == 1
    after = policy.with_threshold(live, 0.5, "of the challenger", router=router)
    assert choice.live_point(study, rows, after)["cheap_count"] == 1  # its scores are the study's
    other = policy.with_threshold(live, 0.5, "of a third", router=version("router-3"))
    assert switches.find(study, estimate, before, Thresholds(0.5), other).n_unknown == 3
    assert choice.live_point(study, rows, other)["cheap_share"] is None


def test_its_outcomes_cannot_be_known_before_it_decides(project, router):
    study, _ = studied(
        project, router, [0.1], guardrails=[{"metric": "thumb", "largest_drop": 0.05}]
    )
    (held,) = outcomes.guardrails(study, Thresholds(0.5))
    assert held.level == "unknown"
    assert "the scores of another router decided" in held.text


def test_tokens_by_threshold_go_by_its_scores(project, router):
    study, _ = studied(project, router, [0.1])
    found = whatif.sums(study, study.sample.get().pk)
    assert found.by_task["math"][:, 0].nonzero()[0].tolist() == [91]


def signed(study, threshold=0.5):
    row = ask(study, person("paula", "product"), threshold=threshold)
    return approve(row, person("erik", "engineering"), person("petra", "product"))


def rated(study):
    rita = rating.rater_of(person("rita", "rater"))
    for draw in study.sample.filter(selected=True):
        Verdict.objects.create(study=study, pair=draw.pair, rater=rita, preference="tie")
    return study


def test_a_signed_challenger_takes_the_live_routers_place_on_a_ramp(project, router):
    scores = [n / 20 for n in range(20)]
    study, _ = studied(project, router, scores, certified_only=False)
    before = policy.live(project)
    row = ask(
        rated(study), person("paula", "product"), threshold=0.5,
        rollout=[{"share": 0.5, "hours": 1}, {"share": 1}],
    )  # fmt: skip
    content = row.evidence.content
    assert content["router"]["name"] == router.name
    assert content["policy"]["router_name"] == before.router.name
    assert (content["point_live"]["cheap_count"], content["point"]["cheap_count"]) == (0, 9)
    assert evidence.recompute(row.evidence)
    row = approve(row, person("erik", "engineering"), person("petra", "product"))
    assert row.policy_after.router == router
    assert row.policy_after.identity == before.identity
    rollout.run_due()
    half = policy.deployment(project)
    assert (half.policy, half.rest, half.share) == (row.policy_after, before, 0.5)
    rollout.run_due(timezone.now() + timedelta(hours=2))
    assert policy.live(project).router == router
    erik = person("emil", "engineering")
    assert rollout.roll_back(project, by=erik, reason="odd", to="previous").policy == before


def test_the_database_lets_no_other_router_live_than_the_one_that_was_studied(project, router):
    study, _ = studied(project, router, [n / 20 for n in range(20)], certified_only=False)
    row = ask(rated(study), person("paula", "product"), threshold=0.5)
    target = policy.with_threshold(policy.live(project), 0.5, "the live router's")
    row = approve(row, person("erik", "engineering"))
    row.approvals.model.objects.create(
        signoff=row, revision=1, user=person("petra", "product"), role="product",
        decision="approve",
    )  # fmt: skip
    with pytest.raises(DatabaseError, match="not studied"), transaction.atomic():
        SignOff.objects.filter(pk=row.pk).update(state="approved", policy_after=target)
    third = policy.with_threshold(target, 0.5, "a third's", router=version("router-3"))
    with pytest.raises(DatabaseError, match="not studied"), transaction.atomic():
        SignOff.objects.filter(pk=row.pk).update(state="approved", policy_after=third)
    own = policy.with_threshold(target, 0.5, "the studied one's", router=router)
    SignOff.objects.filter(pk=row.pk).update(state="approved", policy_after=own)


def test_a_study_of_a_router_that_was_replaced_cannot_be_signed(unsigned, project, router):
    study, _ = labelled.start(project, [0.1, 0.9], certified_only=False)
    labelled.label(study)
    policy.deploy(
        policy.with_threshold(policy.live(project), 0.0, "n", router=router), by=None, reason="t"
    )
    with pytest.raises(Conflict, match="another router"):
        ask(study, person("paula", "product"), threshold=0.5)


def test_always_expensive_with_another_router_takes_no_sign_off(project, router):
    lead, engineer = people()
    with pytest.raises(NotAllowed):
        challenges.always_expensive_with(project, router, by=lead, reason="evidence")
    with pytest.raises(BadInput, match="Say in a sentence"):
        challenges.always_expensive_with(project, router, by=engineer, reason=" ")
    row = challenges.always_expensive_with(project, router, by=engineer, reason="evidence")
    live = policy.live(project)
    assert (live, live.router, live.is_always_expensive) == (row.policy, router, True)
    assert live.thresholds == {}
    told = AuditEntry.objects.get(project=project, event="policy.router_changed")
    assert (told.actor, told.detail["router"]) == ("emil", router.name)
    with pytest.raises(Conflict, match="already"):
        challenges.always_expensive_with(project, router, by=engineer, reason="again")


def test_from_there_the_policy_before_can_be_gone_back_to_and_not_from_a_rollback(
    unsigned, project, router
):
    engineer, was = people()[1], policy.with_threshold(policy.live(project), 0.5, "signed")
    policy.deploy(was, by=None, reason="test")
    challenges.always_expensive_with(project, router, by=engineer, reason="evidence")
    assert policy.previous(project) == was
    rollout.roll_back(project, by=engineer, reason="odd")
    assert policy.live(project).router == router
    assert policy.previous(project) is None


def test_it_ends_a_rollout_under_way(project, router):
    study, _ = studied(project, router, [n / 20 for n in range(20)], certified_only=False)
    row = signed(rated(study))
    challenges.always_expensive_with(
        project, version("router-3"), by=person("emil", "engineering"), reason="evidence"
    )
    assert rollout.under_way(project) is None
    rollout.run_due()
    assert policy.live(project) != row.policy_after
