"""After go-live a sample is rated on, and a broken floor is found; nobody can sign it."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.utils import timezone

from reviews import judging, living, rating, rollout, sampling, signoff, timely
from reviews.errors import Conflict
from reviews.models import JudgeRun, Rater, Rollout, Study, Verdict
from reviews.views.study import chosen
from routing import policy
from routing.models import Request, ShadowJob
from routing.types import TierSpec
from tests.reviews.rows import add_pairs
from tests.reviews.signing import approve, ask, person, rated_study
from tests.reviews.training_draws import judge

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
ASKED = TierSpec("simulated", "simulated-judge")


@pytest.fixture
def signed(project):
    """An approved sign-off of a ramp whose first step is not taken yet."""
    steps = [{"share": 0.5, "hours": 1}, {"share": 1, "hours": 0}]
    row = ask(rated_study(project), person("paula", "product"), rollout=steps)
    return approve(row, person("erik", "engineering"), person("pat", "product"))


def go_live(row):
    """Take both steps of its ramp."""
    rollout.run_due()
    assert not row.living.exists(), "the ramp is not over"
    now = timezone.now()
    Rollout.objects.filter(signoff=row).update(next_at=now)
    rollout.run_due(now)
    return row.living.first()


def come(study, *, days):
    """Let ten pairs a day come, all drawn; return them."""
    now = timezone.now()
    Study.objects.filter(pk=study.pk).update(created_at=now - days * DAY)
    pairs = add_pairs(study.project, [0.1] * 10 * days)
    for day in range(days):
        of_day = [pair.request_id for pair in pairs[10 * day : 10 * day + 10]]
        at = now - (days - day) * DAY + timedelta(minutes=1)
        Request.objects.filter(pk__in=of_day).update(received_at=at)
    study.refresh_from_db()
    sampling.extend(study)
    return pairs


def play(study, *, days, harms, by=None, of=10):
    """Let ten pairs a day come, all drawn, so many of each ten rated and made worse."""
    by = by or rating.rater_of(person("ria", "rater"))
    for at, pair in enumerate(come(study, days=days)):
        if at % 10 < of:
            said = "expensive" if at % 10 < harms else "tie"
            Verdict.objects.create(study=study, pair=pair, rater=by, preference=said)


def look(row, *, days=1):
    """Look at its living sample so many midnights from now."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return living.look(row, midnight + days * DAY)


def test_a_complete_rollout_opens_one_that_nobody_signs(signed, rf):
    study, before = go_live(signed), signed.study
    assert (study.policy, study.watches, study.state) == (signed.policy_after, signed, "running")
    assert study.rate * signed.policy_after.shadow_rate_expensive == pytest.approx(0.01)
    assert study.largest_threshold == signed.threshold
    assert (study.floor, study.loss, study.reasons) == (before.floor, before.loss, before.reasons)
    assert study.guidelines.get().body == before.guidelines.first().body
    assert living.open_for(signed, {}, timezone.now()) == study
    with pytest.raises(Conflict, match="never signed itself"):
        signoff.request(study=study, user=person("pam", "product"), reason="x", threshold=0.5)
    assert chosen(rf.get("/"), signed.project)[1] == before
    assert chosen(rf.get("/", {"study": study.pk}), signed.project)[1] == study


def test_only_what_the_signed_policy_decides_since_go_live_belongs_to_it(signed):
    study = go_live(signed)
    assert not sampling.frame(study).exists()
    add_pairs(signed.project, [0.1])
    policy.deploy(signed.policy_before, by=None, reason="back")
    add_pairs(signed.project, [0.1])
    assert sampling.frame(study).count() == 1


def test_it_ends_once_with_its_signoff(signed):
    study = go_live(signed)
    ends = (timezone.now(), signed.expires_at, signed.expires_at)
    assert [living.close_due(now) for now in ends] == [0, 1, 0]
    study.refresh_from_db()
    assert study.state == "closed"


def test_it_ends_when_something_else_goes_live(signed):
    go_live(signed)
    policy.deploy(signed.policy_before, by=None, reason="back")
    assert living.close_due(timezone.now()) == 1


def test_none_is_opened_where_none_is_wanted(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 0
    assert go_live(signed) is None
    assert look(signed) is None


@pytest.mark.parametrize(
    ("had", "live", "sampled", "rate"),
    [(1.0, 0.05, 0.01, 0.05), (1.0, 0.0, 0.01, 0.01), (0.02, 0.05, 0.01, 0.02), (1.0, 1.0, 0.0, 1)],
)
def test_a_signed_policy_has_few_requests_asked_of_both(
    project, settings, had, live, sampled, rate
):
    settings.SHADOWEVAL_LIVE_SHADOW_RATE, settings.SHADOWEVAL_LIVING_RATE = live, sampled
    before = policy.with_threshold(policy.live(project), 0.0, "", shadow_rate=had)
    assert signoff.shadow_rate(before) == rate


def test_what_routes_nothing_asks_both_about_everything_again(signed):
    go_live(signed)
    assert rates(policy.live(signed.project)) == {0.05}
    policy.roll_back(signed.project, by=None, reason="test", to="always_expensive")
    assert rates(policy.live(signed.project)) == {1.0}


def rates(row):
    return {row.shadow_rate_cheap, row.shadow_rate_expensive}


@pytest.mark.parametrize(
    ("days", "harms", "level"), [(10, 0, "ok"), (10, 4, "alarm"), (5, 10, "quiet")]
)
def test_a_broken_floor_is_found_after_a_week(signed, settings, days, harms, level):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    play(go_live(signed), days=days, harms=harms)
    found = look(signed)
    assert (found.signal.level, found.n_waiting) == (level, 0)
    assert found.degradation == pytest.approx(harms / 10)


def test_what_nobody_rated_says_nothing(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    come(go_live(signed), days=10)
    found = look(signed)
    assert (found.signal.level, found.n_rated, found.n_waiting) == ("quiet", 0, 100)
    assert found.degradation is None


def test_what_nobody_rates_holds_up_no_later_day_for_longer_than_two_weeks(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    play(go_live(signed), days=10, harms=4, of=9)
    found = look(signed)
    assert (found.signal.level, found.n_rated, found.n_waiting) == ("quiet", 0, 10)
    found = look(signed, days=14)
    assert (found.signal.level, found.n_rated, found.n_missed) == ("alarm", 81, 9)
    assert (found.degradation, found.at_most) == (pytest.approx(0.4), pytest.approx(0.5))


def test_a_day_that_may_get_more_pairs_does_not_count_yet(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    play(go_live(signed), days=10, harms=4)
    late = Request.objects.order_by("received_at")[55]
    ShadowJob.objects.filter(request=late).update(state="pending", finished_at=None)
    assert look(signed).n_rated == 50
    ShadowJob.objects.filter(request=late).update(state="done", finished_at=timezone.now())
    assert look(signed).n_rated == 90


def test_what_is_rated_too_late_changes_nothing(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    study = go_live(signed)
    ria = rating.rater_of(person("ria", "rater"))
    for at, pair in enumerate(come(study, days=40)):
        said = "expensive" if 40 - at // 10 > timely.RATED_WITHIN else "tie"
        Verdict.objects.create(study=study, pair=pair, rater=ria, preference=said)
    found = look(signed)
    assert (found.signal.level, found.degradation) == ("quiet", 0)
    assert (found.n_rated, found.n_missed) == (130, 260)
    assert found.at_most == pytest.approx(260 / 390)


def test_a_second_rater_who_stays_silent_counts_as_no_harm(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    study = go_live(signed)
    Study.objects.filter(pk=study.pk).update(ratings_per_pair=2)
    play(study, days=10, harms=1)
    found = look(signed)
    assert (found.n_rated, found.n_waiting) == (0, 0), "their day is not settled"
    found = look(signed, days=14)
    assert (found.signal.level, found.n_rated, found.n_missed) == ("quiet", 90, 0)
    assert (found.degradation, found.at_most) == (pytest.approx(0.05), pytest.approx(0.55))


def test_labels_from_elsewhere_wait_like_ratings(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    key = Rater.objects.create(kind="answer_key", name="vendor", project=signed.project)
    play(go_live(signed), days=10, harms=1, of=3, by=key)
    found = look(signed)
    assert (found.signal.level, found.n_rated, found.n_waiting) == ("quiet", 0, 70)
    found = look(signed, days=14)
    assert (found.signal.level, found.n_rated, found.n_missed) == ("quiet", 27, 63)
    assert (found.degradation, found.at_most) == (pytest.approx(0.1), pytest.approx(0.8))


def test_nobody_is_asked_for_what_would_no_longer_count(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    study = go_live(signed)
    come(study, days=20)
    # Of today and the fourteen days before; none came today.
    assert rating.waiting(study, rating.rater_of(person("ria", "rater"))) == 140


def test_a_judge_alone_breaks_no_floor(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    study = go_live(signed)
    play(study, days=10, harms=10, by=judge(study))
    found = look(signed)
    assert (found.signal.level, found.n_rated, found.n_waiting) == ("quiet", 0, 100)
    assert found.degradation is None


def test_a_judge_that_runs_goes_on_with_the_sample_for_what_is_left_of_its_cap(signed):
    stopped, spent, running = (
        judging.create(signed.study, ASKED, cap_usd=Decimal(3), prompt=prompt)
        for prompt in ("one", "two", "three")
    )
    judging.stop(stopped, "by hand")
    JudgeRun.objects.filter(spec=spent).update(spent_usd=Decimal("2.99995"))
    JudgeRun.objects.filter(spec=running).update(spent_usd=Decimal("0.99995"), reserved_usd=1)
    (found,) = go_live(signed).judges.all()
    assert (found.sha256, found.cap_usd) == (running.sha256, Decimal("1.0000"))
    assert (found.run.state, found.run.spent_usd) == ("running", 0)
    assert found.share == 1.0, "of 5 % of the requests, no more than the study's weeks had"
    states = dict(JudgeRun.objects.values_list("spec", "state"))
    assert (states[spent.pk], states[running.pk]) == ("running", "stopped")
    assert "continued" in JudgeRun.objects.get(spec=running).reason


def test_a_judge_s_share_is_spread_over_the_days_of_the_sample():
    def study(rate, days):
        row = SimpleNamespace(shadow_rate_cheap=rate, shadow_rate_expensive=rate)
        return SimpleNamespace(policy=row, window_days=days)

    spec = SimpleNamespace(study=study(1.0, 14), share=0.5)
    assert judging._spread(spec, study(1.0, 90)) == pytest.approx(7 / 90)
    assert judging._spread(spec, study(0.05, 90)) == 1.0


def test_a_judge_that_somebody_stops_at_that_moment_stays_stopped(signed):
    spec, study = judging.create(signed.study, ASKED, cap_usd=Decimal(3)), go_live(signed)
    (later,) = study.judges.all()
    judging.stop(later, "by hand")
    assert judging.carry_on(later, signed.study) is None
    assert not JudgeRun.objects.filter(state="running").exists()
    assert signed.study.judges.get() == spec


def test_a_judge_of_the_sample_is_asked_of_what_goes_to_the_cheap_model_only(signed):
    judging.create(signed.study, ASKED, cap_usd=Decimal(3))
    study = go_live(signed)
    add_pairs(signed.project, [0.1, 0.5, 0.7, 0.9])
    sampling.extend(study)
    spec = study.judges.get()
    spec.share = 1.0
    cheap = set(study.sample.filter(pair__score__lt=0.6).values_list("pair", flat=True))
    assert len(cheap) == 2
    assert set(judging._drawn(spec, list(study.sample.select_related("pair")))) == cheap
