"""After go-live a sample is rated on, and a broken floor is found; nobody can sign it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from reviews import judging, living, rating, rollout, sampling, signoff
from reviews.errors import Conflict
from reviews.models import Rollout, Study, Verdict
from reviews.views.study import chosen
from routing import policy
from routing.models import Request
from routing.types import TierSpec
from tests.reviews.rows import add_pairs
from tests.reviews.signing import approve, ask, person, rated_study
from tests.reviews.training_draws import judge

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


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


def play(study, *, days, harms, by=None):
    """Let ten pairs a day come, all drawn and rated, so many of each ten made worse."""
    by = by or rating.rater_of(person("ria", "rater"))
    for at, pair in enumerate(come(study, days=days)):
        said = "expensive" if at % 10 < harms else "tie"
        Verdict.objects.create(study=study, pair=pair, rater=by, preference=said)


def test_a_complete_rollout_opens_one_that_nobody_signs(signed, rf):
    study, before = go_live(signed), signed.study
    assert (study.policy, study.watches, study.state) == (signed.policy_after, signed, "running")
    assert (study.rate, study.largest_threshold) == (0.01, signed.threshold)
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
    assert living.look(signed) is None


def test_the_signed_policy_shadows_what_is_to_be_rated(project):
    base = policy.with_threshold(policy.live(project), 0.0, "")
    base.shadow_rate_expensive = 0.001
    base.shadow_rate_cheap = 0.0
    found = policy.with_threshold(base, 0.5, "", least_shadow=0.01)
    assert (found.shadow_rate_expensive, found.shadow_rate_cheap) == (0.01, 0.01)
    base.shadow_rate_expensive = 0.5
    assert policy.with_threshold(base, 0.5, "", least_shadow=0.01).shadow_rate_expensive == 0.5


@pytest.mark.parametrize(
    ("days", "harms", "level"), [(10, 0, "ok"), (10, 4, "alarm"), (5, 10, "quiet")]
)
def test_a_broken_floor_is_found_after_a_week(signed, settings, days, harms, level):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    play(go_live(signed), days=days, harms=harms)
    look = living.look(signed)
    assert (look.signal.level, look.n_waiting) == (level, 0)
    assert look.degradation == pytest.approx(harms / 10)


def test_what_nobody_rated_says_nothing(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    come(go_live(signed), days=10)
    look = living.look(signed)
    assert (look.signal.level, look.n_rated, look.n_waiting) == ("quiet", 0, 100)
    assert look.degradation is None


def test_a_judge_alone_breaks_no_floor(signed, settings):
    settings.SHADOWEVAL_LIVING_RATE = 1.0
    study = go_live(signed)
    play(study, days=10, harms=10, by=judge(study))
    look = living.look(signed)
    assert (look.signal.level, look.n_rated, look.n_waiting) == ("quiet", 0, 100)
    assert look.degradation is None


def test_a_judge_that_runs_goes_on_with_the_sample(signed):
    asked = TierSpec("simulated", "simulated-judge")
    stopped, running = (
        judging.create(signed.study, asked, cap_usd=Decimal(3), prompt=prompt)
        for prompt in ("one", "two")
    )
    judging.stop(stopped, "by hand")
    (found,) = go_live(signed).judges.all()
    assert (found.sha256, found.cap_usd) == (running.sha256, 3)
    assert (found.run.state, found.run.spent_usd) == ("running", 0)
    assert found.share == pytest.approx(14 / 90, rel=0.02), "two weeks' pairs, over all its days"


def test_a_judge_of_the_sample_is_asked_of_what_goes_to_the_cheap_model_only(signed):
    judging.create(signed.study, TierSpec("simulated", "simulated-judge"), cap_usd=Decimal(3))
    study = go_live(signed)
    add_pairs(signed.project, [0.1, 0.5, 0.7, 0.9])
    sampling.extend(study)
    spec = study.judges.get()
    spec.share = 1.0
    cheap = set(study.sample.filter(pair__score__lt=0.6).values_list("pair", flat=True))
    assert len(cheap) == 2
    assert set(judging._drawn(spec, list(study.sample.select_related("pair")))) == cheap
