"""Judges by message batches: half the price, every end of an entry, and nothing sent twice."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from reviews import judge_batches, judging, sampling
from reviews.errors import BadInput
from reviews.models import JudgeBatch, JudgeCall, JudgeRun, Verdict
from routing import policy
from routing.types import TierSpec
from tests.reviews import judge_standin
from tests.reviews.judge_rows import add_answers
from tests.reviews.test_judging import BOTH_COST, PRICE, ends

pytestmark = pytest.mark.django_db


@pytest.fixture
def standin():
    with judge_standin.running() as running:
        yield running


@pytest.fixture
def spec(project, standin):
    for cheap, expensive in (("bad", "GOOD"), ("GOOD", "bad")):
        add_answers(project, cheap, expensive)
    study = sampling.start(policy.live(project), name="S", seed="s", rate=1.0)
    asked = TierSpec("anthropic", "judge", standin.url, "", PRICE)
    made = judging.create(study, asked, cap_usd=Decimal(1), use_batch=True)
    judging.extend(made)
    return made


def spent(spec):
    run = JudgeRun.objects.get(spec=spec)
    assert run.reserved_usd == 0
    return run.spent_usd


def leases_over():
    JudgeBatch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_batch_is_sent_collected_and_costs_half(spec, standin):
    standin.is_over = False
    assert judge_batches.run() == 4
    assert judge_batches.run() == 0
    assert JudgeBatch.objects.get().provider_id == "msgbatch_0"
    standin.is_over = True
    assert judge_batches.run() == 4
    assert JudgeBatch.objects.get().state == "ended"
    said = Verdict.objects.order_by("pair").values_list("preference", flat=True)
    assert list(said) == ["expensive", "cheap"]
    assert spent(spec) == BOTH_COST
    assert (len(standin.batches), standin.asked) == (1, [])


def test_one_by_one_workers_leave_batches_alone(spec, standin):
    assert judging.run() == 0


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("expired", ("pending", "batch_expired")),
        ("canceled", ("failed", "batch_canceled")),
        ("errored:overloaded_error", ("pending", "batch_errored: overloaded_error")),
        ("errored:invalid_request_error", ("failed", "batch_errored: invalid_request_error")),
    ],
)
def test_entries_that_did_not_succeed_are_free_and_say_why(spec, standin, kind, end):
    standin.kinds.extend([kind] * 4)
    judge_batches.run()
    assert ends(spec) == {end}
    assert spent(spec) == 0


def test_what_expired_goes_into_another_batch(spec, standin):
    standin.kinds.extend(["expired"])
    judge_batches.run()
    JudgeCall.objects.update(due_at=timezone.now())
    judge_batches.run()
    assert Verdict.objects.count() == 2
    assert [len(batch["entries"]) for batch in standin.batches.values()] == [4, 1]


def test_a_batch_whose_name_was_lost_is_found_again_and_not_sent_twice(spec, standin):
    standin.forgets = True
    judge_batches.run()
    assert JudgeBatch.objects.get().state == "submitting"
    standin.forgets = False
    leases_over()
    standin.is_over = False
    assert judge_batches.run() == 0  # nobody can know yet whose it is
    standin.is_over = True
    judge_batches.run()
    judge_batches.run()
    assert Verdict.objects.count() == 2
    assert len(standin.batches) == 1
    assert spent(spec) == BOTH_COST


def test_a_batch_that_was_never_sent_is_sent(spec, standin):
    standin.forgets = True
    judge_batches.run()
    standin.forgets = False
    standin.batches.clear()
    leases_over()
    judge_batches.run()
    assert ends(spec) == {("pending", "worker_lost")}
    assert spent(spec) == 0


def test_a_batch_that_the_provider_lost_is_asked_again_and_its_money_stays_spent(spec, standin):
    standin.is_over = False
    judge_batches.run()
    standin.batches.clear()
    judge_batches.run()
    assert ends(spec) == {("pending", "batch_gone")}
    assert spent(spec) > 0


def test_a_stopped_judge_is_collected_and_sends_nothing(spec, standin):
    standin.is_over = False
    judge_batches.run()
    judging.stop(spec, "enough")
    standin.is_over = True
    judge_batches.run()
    assert Verdict.objects.count() == 2


def test_a_wrong_key_stops_the_judge(spec, standin):
    standin.next_statuses.append(401)
    judge_batches.run()
    run = JudgeRun.objects.get(spec=spec)
    assert (run.state, run.reason) == ("stopped", "provider_error: 401")
    assert set(spec.calls.values_list("state", "attempts")) == {("pending", 0)}


def test_a_busy_provider_is_sent_it_later(spec, standin):
    standin.next_statuses.append(529)
    judge_batches.run()
    assert ends(spec) == {("pending", "provider_error: 529")}
    JudgeCall.objects.update(due_at=timezone.now())
    JudgeRun.objects.update(paused_until=None)
    judge_batches.run()
    assert Verdict.objects.count() == 2


def test_only_a_provider_with_batches_takes_them(spec, standin):
    asked = TierSpec("openai", "judge", standin.url, "", PRICE)
    with pytest.raises(BadInput, match="no batches"):
        judging.create(spec.study, asked, cap_usd=Decimal(1), use_batch=True)
