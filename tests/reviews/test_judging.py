"""The judge: both orders become a verdict, every other end has a reason, money is bounded."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from reviews import estimation, judge_calls, judge_prompt, judging, projects, replay, sampling
from reviews.errors import BadInput, Conflict
from reviews.models import JudgeCall, JudgeRun, Rater, Verdict
from routing import policy, providers
from routing.types import Price, TierSpec
from tests.reviews import judge_standin
from tests.reviews.judge_rows import add_answers

pytestmark = pytest.mark.django_db

PRICE = Price(Decimal(1), Decimal(5))
BOTH_COST = 2 * Decimal("0.0002")  # 100 tokens in at 1, 20 out at 5 USD per million


@pytest.fixture
def standin():
    with judge_standin.running() as running:
        yield running


@pytest.fixture
def study(project):
    """A study of three pairs: expensive good, cheap good, both good."""
    for cheap, expensive in (("bad", "GOOD"), ("GOOD", "bad"), ("GOOD", "GOOD")):
        add_answers(project, cheap, expensive)
    return sampling.start(policy.live(project), name="S", seed="s", rate=1.0)


@pytest.fixture
def judge(study, standin):
    """Return a function that makes a judge whose model name says what it does."""

    def make(model="judge", provider="anthropic", cap="1", **said):
        url = standin.url + ("/v1" if provider == "openai" else "")
        asked = TierSpec(provider, model, url, said.pop("key_name", ""), PRICE)
        spec = judging.create(said.pop("study", study), asked, cap_usd=Decimal(cap), **said)
        judging.extend(spec)
        return spec

    return make


def ask_all():
    while judging.run():
        pass


def due_now():
    JudgeCall.objects.update(due_at=timezone.now())
    JudgeRun.objects.update(paused_until=None)


def run_of(spec):
    return JudgeRun.objects.get(spec=spec)


def ends(spec):
    return set(spec.calls.values_list("state", "reason"))


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_both_orders_become_one_verdict_by_tier(judge, standin, provider):
    spec = judge(provider=provider)
    ask_all()
    said = list(Verdict.objects.order_by("pair").values_list("preference", flat=True))
    assert said == ["expensive", "cheap", "tie"]
    assert len(standin.asked) == 6
    rater = Rater.objects.get(kind="llm_judge")
    assert rater.name == f"judge {spec.sha256[:8]}"
    first = Verdict.objects.order_by("pair").first()
    assert (first.cheap_adequate, first.expensive_adequate) == (False, True)
    call = spec.calls.first()
    assert (call.input_tokens, call.output_tokens, call.request_id) == (100, 20, "req_judge")
    assert run_of(spec).spent_usd == 3 * BOTH_COST
    assert run_of(spec).reserved_usd == 0


def test_a_verdict_needs_both_orders(judge, standin):
    judge()
    assert judging.run(limit=1) == 1
    assert not Verdict.objects.exists()


def test_orders_that_disagree_are_split_and_half_a_harm(judge, study):
    judge("biased")
    ask_all()
    assert set(Verdict.objects.values_list("preference", flat=True)) == {"split"}
    always_cheap = estimation.estimate(study, "llm_judge").points[-1]
    assert always_cheap["degradation"] == 0.5


def test_the_second_order_shows_the_answers_the_other_way_round(judge, standin):
    judge(share=1.0)
    judging.run(limit=2)
    texts = [body["messages"][0]["content"][-2]["text"].splitlines()[1] for body in standin.asked]
    assert sorted(texts) in (["GOOD", "bad"], ["GOOD", "GOOD"])


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
@pytest.mark.parametrize("model", [*judge_standin.ODD])
def test_an_odd_answer_fails_with_its_reason_and_is_paid_once(judge, standin, provider, model):
    spec = judge(model, provider)
    ask_all()
    kind = {"truncated": "truncated", "refusal": "refusal", "declines": "refusal"}
    assert {state for state, _ in ends(spec)} == {"failed"}
    assert all(reason.startswith(kind.get(model, "malformed")) for _, reason in ends(spec))
    assert len(standin.asked) == 6
    assert run_of(spec).spent_usd == 3 * BOTH_COST
    assert not Verdict.objects.exists()


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_a_busy_provider_is_asked_again_later(judge, standin, status):
    spec = judge()
    standin.next_statuses.extend([status])
    assert judging.run(limit=1) == 1
    call = spec.calls.get(reason=f"provider_error: {status}")
    assert (call.state, call.attempts, call.due_at > timezone.now()) == ("pending", 1, True)
    due_now()
    ask_all()
    assert spec.calls.filter(state="done").count() == 6


def test_retry_after_holds_back_all_calls_of_the_judge(judge, standin):
    spec = judge()
    standin.retry_after = "30"
    standin.next_statuses.append(529)
    judging.run(limit=1)
    assert run_of(spec).paused_until > timezone.now() + timedelta(seconds=25)
    assert judging.run() == 0


def test_attempts_end(judge, standin):
    spec = judge()
    while spec.calls.filter(state="pending").exists():
        standin.next_statuses.extend([529] * 6)
        due_now()
        judging.run()
    assert ends(spec) == {("failed", "provider_error: 529")}
    assert run_of(spec).spent_usd == 0


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_stops_the_judge_and_burns_nothing(judge, standin, status):
    spec = judge()
    standin.next_statuses.extend([status])
    judging.run(limit=1)
    assert (run_of(spec).state, run_of(spec).reason) == ("stopped", f"provider_error: {status}")
    assert judging.run() == 0
    assert set(spec.calls.values_list("state", "attempts")) == {("pending", 0)}
    judging.start(spec)
    ask_all()
    assert spec.calls.filter(state="done").count() == 6


@pytest.mark.parametrize("model", ["cut", "not-json"])
def test_an_answer_that_does_not_arrive_may_have_been_paid(judge, standin, model):
    spec = judge(model)
    while spec.calls.filter(state="pending").exists():
        due_now()
        judging.run()
    ((state, reason),) = ends(spec)
    assert (state, reason.split(":")[0]) == ("failed", "provider_unreachable")
    assert len(standin.asked) == 6 * 3
    assert run_of(spec).spent_usd > 18 * BOTH_COST / 2  # all that was held is taken for spent
    assert run_of(spec).reserved_usd == 0


def test_nobody_there_costs_nothing(study):
    asked = TierSpec("anthropic", "judge", "http://127.0.0.1:9", "", PRICE)
    spec = judging.create(study, asked, cap_usd=Decimal(1))
    judging.extend(spec)
    judging.run()
    assert (run_of(spec).spent_usd, run_of(spec).reserved_usd) == (0, 0)
    assert {state for state, _ in ends(spec)} == {"pending"}


def test_a_silent_provider_is_left(judge, standin, settings):
    settings.SHADOWEVAL_SHADOW_TIMEOUT_S = 0.2
    standin.hold_s = 1.0
    spec = judge("stall")
    judging.run(limit=1)
    assert spec.calls.get(attempts=1).reason == "provider_unreachable: APITimeoutError"


def test_the_cap_is_never_passed_and_what_it_leaves_out_says_so(judge, standin):
    judge("rich")
    (job,) = judge_calls.claim(1)
    cap = round(JudgeCall.objects.get(pk=job.pk).reserved_usd + Decimal("0.0005"), 4)
    JudgeCall.objects.exclude(pk=job.pk).delete()
    spec = judge(cap=cap)
    while spec.calls.filter(state__in=JudgeCall.OPEN).exists():
        due_now()
        judging.run()
        run = JudgeRun.objects.get(spec=spec)
        assert run.spent_usd + run.reserved_usd <= cap
    assert {state for state, _ in ends(spec)} == {"done", "skipped"}
    assert any(
        reason.startswith(f"spend_cap: the judge's {cap.normalize():f} USD")
        for _, reason in ends(spec)
    )


def test_calls_under_way_hold_their_money(judge):
    spec = judge(cap="0.008")
    taken = judge_calls.claim(6)
    assert 0 < len(taken) < 6
    run = JudgeRun.objects.get(spec=spec)
    assert run.spent_usd + run.reserved_usd <= Decimal("0.008")
    waiting = spec.calls.filter(reason="spend_cap: waits for other calls")
    assert waiting.count() == 6 - len(taken)


def test_a_killed_worker_gives_its_calls_back_and_its_late_answer_is_dropped(judge, standin):
    spec = judge()
    (job,) = judge_calls.claim(1)
    JudgeCall.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert judge_calls.recover() == 1
    assert not judge_calls.finish(job, judge_calls.Outcome(reason="late"))
    call = JudgeCall.objects.get(pk=job.pk)
    assert (call.state, call.reason, call.attempts) == ("pending", "worker_lost", 1)
    held = run_of(spec).spent_usd
    assert held > 0
    due_now()
    ask_all()
    assert Verdict.objects.count() == 3


def test_two_workers_never_get_one_call(judge):
    judge()
    one, other = judge_calls.claim(4), judge_calls.claim(4)
    assert not {job.pk for job in one} & {job.pk for job in other}
    assert len(one) + len(other) == 6


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_share_the_calls_and_the_cap(judge, project, study):
    for _ in range(20):
        add_answers(project, "GOOD", "bad")
    sampling.extend(study)
    spec = judge(cap="0.1")

    def take(_):
        try:
            return judge_calls.claim(6)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        taken = [job.pk for jobs in workers.map(take, range(8)) for job in jobs]
    assert len(taken) == len(set(taken)) > 0
    assert run_of(spec).reserved_usd <= Decimal("0.1")
    held = JudgeCall.objects.filter(pk__in=taken).aggregate(usd=Sum("reserved_usd"))["usd"]
    assert run_of(spec).reserved_usd == held


def test_a_project_goes_with_its_judges(judge, project):
    judge()
    judging.run(limit=4)
    judge_calls.claim(1)
    projects.delete(project)
    assert not JudgeCall.objects.exists()
    assert not JudgeRun.objects.exists()
    assert not Rater.objects.filter(kind="llm_judge").exists()


def test_a_label_never_says_split():
    assert replay.opinion({"kind": "preference", "value": "split"}) is None


def test_a_second_look_puts_nothing_twice(judge):
    spec = judge()
    assert judging.extend(spec) == 0
    JudgeRun.objects.update(looked_to=0)
    judging.extend(spec)
    assert spec.calls.count() == 6


def test_a_share_is_drawn_by_the_seed_and_smaller_ones_lie_within(judge, study, project):
    for _ in range(30):
        add_answers(project, "GOOD", "bad")
    sampling.extend(study)
    half, some = judge("one", share=0.5), judge("two", share=0.2)
    drawn = [set(spec.calls.values_list("pair", flat=True)) for spec in (half, some)]
    assert drawn[1] < drawn[0]
    assert 5 < len(drawn[0]) < 28


def test_pairs_that_cannot_be_judged_say_why(judge, project, study, standin):
    add_answers(project, "x" * 250_000, "GOOD")
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}
    add_answers(project, "bad", "GOOD", [image, {"type": "text", "text": "q"}])
    add_answers(project, " ", "GOOD")
    sampling.extend(study)
    spec = judge()
    ask_all()
    skipped = spec.calls.filter(state="skipped").values_list("reason", flat=True).distinct()
    assert {reason.split(":")[0] for reason in skipped} == {"too_long", "media", "no_text"}
    assert spec.calls.filter(state="skipped").count() == 6


def test_a_judge_of_its_own_answers_is_refused_unless_allowed(judge, study):
    model = study.policy.expensive["model"]
    with pytest.raises(BadInput, match="plays the expensive tier"):
        judge(model.upper())
    assert judge(model, allow_tier_model=True).allow_tier_model


def test_a_judge_without_a_price_is_refused(study):
    with pytest.raises(BadInput, match="price"):
        judging.create(study, TierSpec("anthropic", "unknown"), cap_usd=Decimal(1))


def test_the_hash_is_over_what_decides_a_verdict_alone(judge, study):
    spec = judge()
    with pytest.raises(Conflict, match="same judge"):
        judge(cap="2", share=0.5)
    judging.stop(spec, "enough")
    assert judge(cap="2", share=0.5).sha256 == spec.sha256
    assert judge("other").sha256 != spec.sha256
    assert judge("third", prompt="Pick one.").sha256 != judge("third").sha256
    assert judge("fourth", temperature=None).sha256 != judge("fourth").sha256


def test_the_same_judge_is_not_paid_twice_for_a_pair(judge, standin):
    spec = judge()
    ask_all()
    judging.stop(spec, "enough")
    assert judge(cap="2").calls.count() == 0


def test_a_stopped_judge_asks_nothing(judge, standin):
    judging.stop(judge(), "enough")
    assert judging.run() == 0
    assert standin.asked == []


def test_the_body_names_the_tool_and_the_key_goes_along(judge, standin, monkeypatch):
    monkeypatch.setenv("JUDGE_API_KEY", "secret-1")
    judge(key_name="JUDGE_API_KEY", temperature=None)
    judging.run(limit=1)
    (body,) = standin.asked
    assert body["tool_choice"] == {"type": "tool", "name": "verdict"}
    assert body["tools"] == [judge_prompt.TOOL]
    assert "temperature" not in body
    assert standin.headers[0]["authorization"] == "Bearer secret-1"


def test_the_simulated_judge_needs_no_key(study):
    asked = TierSpec("simulated", "simulated-judge")
    spec = judging.create(study, asked, cap_usd=Decimal(0))
    judging.extend(spec)
    ask_all()
    assert Verdict.objects.filter(rater__kind="llm_judge").count() == 3
    assert run_of(spec).spent_usd == 0
    assert providers.batches("simulated") is None
