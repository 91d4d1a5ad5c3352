"""Every reply is written once, whole, and never at the cost of the others."""

import asyncio
import json
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from routing import policy, recording
from routing.models import Completion, Decision, Request, ShadowJob
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Served, Tier, Usage


@pytest.fixture
def served(project):
    """Make a reply that is to be recorded; `text` is asked and answered."""
    live = policy.live(project)

    def make(text="q", reason=Reason.BELOW_THRESHOLD, rate=1.0, policy_id=live.pk):
        payload = {"messages": [{"role": "user", "content": text}], "max_tokens": 5}
        body = json.dumps({"content": [{"type": "text", "text": text}]}).encode()
        reply = Reply(body, text, "m", "end_turn", Usage(3, 2), 1.0)
        decision = DecisionValue(Tier.CHEAP, reason, 0.4, 0.3, task="math")
        return Served(
            uuid4(), timezone.now(), project.pk, None, policy_id, "anthropic",
            ChatRequest(payload, text, "auto"), decision, 200, "", "anthropic",
            reply, None, rate, 1.0, 2.0,
        )  # fmt: skip

    return make


@dataclass
class Sized:
    """Stands for a reply where only its size matters."""

    size_bytes: int


def counts():
    return [model.objects.count() for model in (Request, Decision, Completion, ShadowJob)]


async def record(rows):
    """Put the rows into a recorder and stop it; return what it calls after a write."""
    written = []
    recorder = recording.Recorder(on_written=lambda: written.append(1))
    recorder.start()
    for row in rows:
        recorder.put(row)
    await recorder.stop()
    return written


@pytest.mark.django_db
def test_a_reply_is_written_once_even_when_written_twice(served):
    row = served()
    recording.write([row, row])
    recording.write([row])
    assert counts() == [1, 1, 1, 1]
    stored = Request.objects.get(pk=row.request_id)
    assert (stored.decision.score, stored.decision.threshold) == (0.3, 0.4)
    assert (stored.shadow_job.state, stored.shadow_job.tier) == ("pending", "expensive")


@pytest.mark.django_db
def test_what_postgres_cannot_hold_is_replaced_and_the_rest_is_kept(served):
    row = served("nul \0 half \ud800 whole \U0001f600 end")
    recording.write([row])
    kept = "nul \ufffd half \ufffd whole \U0001f600 end"
    stored = Request.objects.get()
    assert (stored.query, stored.payload["messages"][0]["content"]) == (kept, kept)
    completion = stored.completions.get()
    assert (completion.text, completion.body["content"][0]["text"]) == (kept, kept)


@pytest.mark.parametrize(
    "value", ["plain", "\u00e4\U0001f600", 1, None, True, {"a": ["\u20ac", 2.5]}]
)
def test_clean_leaves_good_data_as_it_is(value):
    assert recording.clean(value) == value


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reply": None, "status": 502}, "no_reply"),
        ({"shadow_rate": 0.0}, "not_sampled"),
        ({"skip": "bypassed: named"}, "bypassed"),
    ],
)
def test_a_reply_without_a_shadow_call_says_why(served, change, reason):
    recording.write([replace(served(), **change)])
    job = ShadowJob.objects.get()
    assert (job.state, job.reason.split(":")[0]) == ("skipped", reason)
    assert job.finished_at is not None


@pytest.mark.django_db
def test_an_answer_that_broke_off_is_kept_and_never_half_of_a_pair(served):
    row = served()
    reply = replace(row.reply, is_partial=True)
    recording.write([replace(row, reply=reply, is_stream=True, error="client_left: gone")])
    assert ShadowJob.objects.get().reason.startswith("partial")
    assert (Completion.objects.get().is_partial, Request.objects.get().is_stream) == (True, True)


def test_the_draw_follows_the_rate_and_repeats():
    ids = [f"request-{n}" for n in range(4_000)]
    drawn = [recording.is_drawn(name, 0.25) for name in ids]
    assert drawn == [recording.is_drawn(name, 0.25) for name in ids]
    assert 900 <= sum(drawn) <= 1_100  # five standard deviations are 137
    assert not any(recording.is_drawn(name, 0.0) for name in ids)
    assert all(recording.is_drawn(name, 1.0) for name in ids)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("policy_id", [0, "no number"])
def test_one_bad_row_does_not_lose_the_group(served, policy_id):
    good, bad = [served(), served()], served(policy_id=policy_id)
    written = asyncio.run(record([good[0], bad, good[1]]))
    assert set(Request.objects.values_list("pk", flat=True)) == {row.request_id for row in good}
    assert counts() == [2, 2, 2, 2]
    assert written


async def test_a_full_queue_counts_what_it_loses(settings):
    settings.SHADOWEVAL_RECORD_QUEUE = 2
    recorder = recording.Recorder()
    for _ in range(5):
        recorder.put(Sized(1))
    assert recorder.lost == 3


async def test_a_queue_is_bounded_by_bytes_too(settings):
    settings.SHADOWEVAL_RECORD_QUEUE_BYTES = 100
    recorder = recording.Recorder()
    for size in (500, 1, 1):  # one alone is always taken
        recorder.put(Sized(size))
    assert recorder.lost == 2


async def test_a_group_is_bounded_by_bytes_and_the_bytes_are_given_back(settings):
    settings.SHADOWEVAL_RECORD_QUEUE_BYTES = 90_000_000
    recorder, groups = recording.Recorder(), []

    async def note(group):
        groups.append([row.size_bytes for row in group])

    recorder._write = note
    for size in (20_000_000, 20_000_000, 20_000_000, 5, 5):
        recorder.put(Sized(size))
    recorder.start()
    await recorder.stop()
    assert [len(group) for group in groups] == [2, 3]
    recorder.put(Sized(1))
    recorder.put(Sized(89_999_999))
    assert recorder.lost == 0


@pytest.mark.django_db(transaction=True)
def test_a_read_only_database_loses_nothing(served):
    row = served()
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        with pytest.raises(DatabaseError):
            recording._write_or_split([row, served()])
        cursor.execute("SET default_transaction_read_only = off")
    recording._write_or_split([row])
    assert counts() == [1, 1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_a_body_nested_too_deeply_to_clean_does_not_end_the_recording(served):
    good, bad = served(), served()
    nested = json.loads("[" * 900 + "]" * 900)
    bad = replace(bad, request=replace(bad.request, metadata={"a": nested}))
    asyncio.run(record([bad, good]))
    assert list(Request.objects.values_list("pk", flat=True)) == [good.request_id]


async def test_stopping_without_a_database_counts_every_reply_that_is_lost(caplog):
    recorder, held = recording.Recorder(), asyncio.Event()
    recorder._write = lambda group: held.wait()  # a database that does not come back
    recorder.start()
    recorder.put(Sized(1))
    await asyncio.sleep(0)  # the writer takes it in hand
    recorder.put(Sized(1))
    await recorder.stop(timeout_s=0.05)
    assert recorder.lost == 2
    assert "2 replies not recorded" in caplog.text
