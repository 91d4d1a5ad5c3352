"""Shadow work under a router that asks first: pairs say what serving would have done."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from routing import policy, recording, shifts, spend
from routing.models import Completion, Project, Request, RouterVersion, ShadowJob, ShadowPair
from routing.served import Probe, Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier, TierSpec, Usage
from tests.routing import cascades, standin
from tests.routing.cascades import ANSWER, CHEAP_USD, PRICE, answer, sure

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:The model:DeprecationWarning"),
]
PAYLOAD = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 200}
UNASKED = DecisionValue(Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD, 0.0, 0.0, task="math")


def reply(text="served"):
    body = json.dumps({**standin.MESSAGE, "content": [{"type": "text", "text": text}]}).encode()
    return Reply(body, text, "m", "end_turn", Usage(3, 2), 1.0)


@pytest.fixture
def api():
    """A Messages API that gives these replies in turn, then 200; and who was asked."""
    replies, asked = [], []

    def say(model):
        asked.append(model)
        return replies.pop(0) if replies else 200

    with standin.answering(say) as url:
        yield url, replies, asked


@pytest.fixture
def record(project, api):
    """Return a function that records a reply under a policy of this router."""
    url, *_ = api
    small, large = (TierSpec("anthropic", n, base_url=url, price=PRICE) for n in ("s", "l"))

    def write(decision=UNASKED, router=None, repeat_rate=0.0, **changes):
        mine = policy.create(
            project=project, router=router or cascades.version(), threshold=decision.threshold,
            cheap=small, expensive=large, repeat_rate=repeat_rate,
        )  # fmt: skip
        row = Served(
            uuid4(), timezone.now(), project.pk, None, mine.pk, "anthropic",
            ChatRequest(PAYLOAD, "Why?", "auto"), decision, 200, "", "anthropic", reply(),
            Decimal("0.5"), 1.0, 1.0, 2.0, repeat_rate=repeat_rate, **changes,
        )  # fmt: skip
        recording.write([row])
        recording.write([row])  # a second run changes nothing
        return row

    return write


def probed(tier, reason, ordinals, score=0.7):
    decision = DecisionValue(
        tier, reason, 0.5, score, "no_confidence", "math",
        confidence=0.3, probe_usd=CHEAP_USD, probe_ms=5.0,
    )  # fmt: skip
    probes = tuple(Probe(reply(f"cheap {n}"), "anthropic", CHEAP_USD, n) for n in ordinals)
    return {"decision": decision, "probes": probes}


ESCALATED = (Tier.EXPENSIVE, Reason.ESCALATED, (1, 2))


def test_an_escalated_request_is_a_pair_when_it_is_recorded(record):
    record(**probed(*ESCALATED))
    pair = ShadowPair.objects.get()
    assert (pair.cheap.text, pair.expensive.text) == ("cheap 1", "served")
    assert (pair.score, pair.probe_usd, pair.probe_ms, pair.rate) == (0.7, CHEAP_USD, 5.0, 1.0)
    assert (pair.task, pair.router) == ("math", cascades.version())
    assert Completion.objects.count() == 3
    job = ShadowJob.objects.get()
    assert (job.state, job.purpose, job.finished_at is not None) == ("done", "pair", True)


def test_what_was_asked_first_is_no_shadow_spend(record, project):
    record(**probed(*ESCALATED))
    Project.objects.update(shadow_daily_usd=10)
    record()
    assert shifts.run() == 1
    assert spend.today(project) == Decimal("0.000013")  # the shadow call alone: 3 and 2 tokens


def test_the_pair_of_an_escalated_request_is_drawn_for_repeats_too(record, api):
    row = record(**probed(*ESCALATED), repeat_rate=1.0)
    again = ShadowJob.objects.get(request_id=row.request_id, purpose="repeat")
    assert (again.state, again.tier, again.rate) == ("pending", "expensive", 1.0)
    assert shifts.run() == 1
    assert ShadowPair.objects.get().repeat.second.tier == "expensive"


def test_repeats_of_escalated_requests_are_shed_first_too(record):
    record(**probed(*ESCALATED), repeat_rate=1.0, kept_share=0.5)
    states = dict(ShadowJob.objects.values_list("purpose", "state"))
    assert states == {"pair": "done", "repeat": "skipped"}


def test_a_kept_answer_takes_its_score_and_cost_into_the_pair(record, api):
    record(**probed(Tier.CHEAP, Reason.BELOW_THRESHOLD, (2,), score=0.2))
    assert shifts.run() == 1
    pair = ShadowPair.objects.get()
    assert (pair.cheap.text, pair.cheap.ordinal) == ("served", 1)
    assert (pair.score, pair.probe_usd, pair.probe_ms) == (0.2, CHEAP_USD, 5.0)


@pytest.mark.parametrize("reason", [Reason.AT_OR_ABOVE_THRESHOLD, Reason.FALLBACK])
@pytest.mark.parametrize(("percent", "score"), [(90, 0.1), (20, 0.8)])
def test_an_unasked_cheap_model_is_asked_as_the_cascade_would(reason, percent, score, record, api):
    _, replies, _ = api
    replies.append(answer("anthropic", sure(percent)))
    record(DecisionValue(Tier.EXPENSIVE, reason, 0.0, 0.0))
    assert shifts.run() == 1
    pair = ShadowPair.objects.get()
    assert pair.score == pytest.approx(score)
    assert (pair.cheap.text, pair.cheap.is_shadow, pair.cheap.is_probe) == (ANSWER, True, False)
    assert "CONFIDENCE" not in json.dumps(pair.cheap.body)
    assert pair.probe_usd == CHEAP_USD
    assert pair.probe_ms == pair.cheap.latency_ms


def test_a_router_that_asks_twice_has_both_samples_asked_and_paid(record, api, project):
    _, replies, asked = api
    Project.objects.update(shadow_daily_usd=10)
    replies += [answer("anthropic", sure(90, text)) for text in ("42", "17")]
    record(router=cascades.version(samples=2))
    assert shifts.run() == 1
    pair = ShadowPair.objects.get()
    assert (pair.score, pair.probe_usd, asked) == (1.0, 2 * CHEAP_USD, ["s", "s"])
    assert list(Completion.objects.filter(tier="cheap").values_list("ordinal", "is_probe")) == [
        (1, False),
        (2, False),
    ]
    assert spend.today(project) == 2 * CHEAP_USD


def test_of_two_samples_one_that_fails_is_tried_again(record, api):
    _, replies, _ = api
    replies += [529, 200]
    record(router=cascades.version(samples=2))
    shifts.run()
    job = ShadowJob.objects.get()
    assert (job.state, job.reason) == ("pending", "provider_error: 529")
    assert not ShadowPair.objects.exists()


@pytest.mark.parametrize(
    "decision",
    [
        DecisionValue(Tier.EXPENSIVE, Reason.RULE, 0.0, 1.0, "long_text"),
        DecisionValue(Tier.EXPENSIVE, Reason.UNFAMILIAR, 0.5, 1.0, "unfamiliar"),
        DecisionValue(Tier.EXPENSIVE, Reason.TOOLS, 0.5, 1.0, "tools"),
        DecisionValue(Tier.EXPENSIVE, Reason.ROUTER_ERROR, 0.5),
    ],
)
def test_what_the_router_would_not_have_asked_about_is_not_judged(decision, record, api):
    _, replies, _ = api
    replies.append(answer("anthropic", sure(90)))
    record(decision)
    assert shifts.run() == 1
    pair = ShadowPair.objects.get()
    assert (pair.score, pair.probe_usd, pair.probe_ms) == (decision.score, None, None)
    assert pair.cheap.text == sure(90)


def test_pairs_of_other_routers_are_as_ever(record, starter, api):
    _, replies, _ = api
    replies.append(answer("anthropic", sure(90)))
    record(DecisionValue(Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD, 0.4, 0.6), router=starter)
    assert shifts.run() == 1
    pair = ShadowPair.objects.get()
    assert (pair.score, pair.probe_usd, pair.cheap.text) == (0.6, None, sure(90))


@pytest.mark.parametrize(("kind", "artifact"), [("cascade", b"nothing"), ("of a plug-in", b"")])
def test_a_router_that_cannot_be_had_fails_its_job_and_no_other(
    kind, artifact, record, starter, api
):
    broken = RouterVersion.objects.create(
        name="broken", kind=kind, embedder="", artifact=artifact, sha256="0" * 64
    )
    row = record(router=broken)
    other = record(DecisionValue(Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD, 0.4, 0.6), starter)
    assert shifts.run() == 1
    job = ShadowJob.objects.get(request_id=row.request_id)
    assert (job.state, job.reason.split(":")[0]) == ("failed", "router_not_loaded")
    assert ShadowPair.objects.get().request_id == other.request_id


def test_what_nobody_wrote_is_replayed_with_its_pair(record, settings, tmp_path):
    settings.SHADOWEVAL_JOURNAL_DIR = tmp_path / "journal"
    row = record(**probed(*ESCALATED))
    ShadowPair.objects.all().delete()
    Request.objects.all().delete()
    first = recording.Recorder()  # its writer never runs: Postgres is away, say
    first.put(row)
    asyncio.run(first.stop(0))
    assert not Request.objects.exists()
    recorder = recording.Recorder()
    recorder.start()
    end = timezone.now() + timedelta(seconds=20)
    while not ShadowPair.objects.exists() and timezone.now() < end:
        asyncio.run(asyncio.sleep(0.05))
    asyncio.run(recorder.stop())
    assert ShadowPair.objects.get().cheap.text == "cheap 1"
