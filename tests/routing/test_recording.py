"""Every reply is written once, whole, and never at the cost of the others."""

import asyncio
import json
import re
import shutil
import threading
import time
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from django.db.models import NOT_PROVIDED, AutoField
from django.utils import timezone

from reviews import projects
from routing import access, journal, policy, recording, records, statements
from routing.models import (
    Collection,
    Completion,
    Decision,
    Request,
    Retrieval,
    ShadowJob,
    ShadowPair,
)
from routing.served import Probe, Served
from routing.types import (
    ChatRequest,
    DecisionValue,
    Reason,
    Reply,
    RetrievalValue,
    Source,
    Tier,
    Usage,
)


@pytest.fixture(autouse=True)
def journals(settings, tmp_path):
    """A folder of journals for this test alone."""
    settings.SHADOWEVAL_JOURNAL_DIR = tmp_path / "journal"
    return settings.SHADOWEVAL_JOURNAL_DIR


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


@pytest.fixture
def served_nowhere():
    """A reply that needs no database to exist."""
    decision = DecisionValue(Tier.CHEAP, Reason.RULE, 0.4)
    return Served(
        uuid4(), timezone.now(), 1, None, 1, "anthropic", ChatRequest({}, "q", "auto"),
        decision, 200, "", "anthropic", None, None, 1.0, 1.0, 2.0,
    )  # fmt: skip


def wait_until(condition, limit_s=20):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


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
    assert records.clean(value) == value


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
    drawn = [records.is_drawn(name, 0.25) for name in ids]
    assert drawn == [records.is_drawn(name, 0.25) for name in ids]
    assert 900 <= sum(drawn) <= 1_100  # five standard deviations are 137
    assert not any(records.is_drawn(name, 0.0) for name in ids)
    assert all(records.is_drawn(name, 1.0) for name in ids)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("policy_id", [0, "no number"])
def test_one_bad_row_does_not_lose_the_group(served, policy_id):
    good, bad = [served(), served()], served(policy_id=policy_id)
    written = asyncio.run(record([good[0], bad, good[1]]))
    assert set(Request.objects.values_list("pk", flat=True)) == {row.request_id for row in good}
    assert counts() == [2, 2, 2, 2]
    assert written


@pytest.mark.django_db(transaction=True)
def test_a_read_only_database_loses_nothing(served):
    row = served()
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        with pytest.raises(DatabaseError):
            records.store([records.encode(row), records.encode(served())])
        cursor.execute("SET default_transaction_read_only = off")
    records.store([records.encode(row)])
    assert counts() == [1, 1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_a_body_nested_too_deeply_to_clean_does_not_end_the_recording(served):
    good, bad = served(), served()
    nested = json.loads("[" * 900 + "]" * 900)
    bad = replace(bad, request=replace(bad.request, metadata={"a": nested}))
    asyncio.run(record([bad, good]))
    assert list(Request.objects.values_list("pk", flat=True)) == [good.request_id]


def looked_up(row, **said):
    """Return the reply as one that rests on a source."""
    made = RetrievalValue(
        strategy="dense", asked="auto", chooser="rules", query="q\ud800",
        sources=(Source(1, "nul \0 here", "key", "title", 0.5, 7, 3),), confidence=0.25, ms=1.5,
        collection="terms", rewritten_by="cheap", rewrite_ms=9.0, cost_usd=Decimal("0.5"),
        signals={"dense_max": 0.75}, version=4, **said,
    )  # fmt: skip
    return replace(row, request=replace(row.request, retrieval=made))


@pytest.mark.django_db
def test_what_was_looked_up_is_written_with_its_request_once(served, project):
    collection = Collection.objects.create(project=project, name="terms", embedder="e")
    found = looked_up(served(), collection_id=collection.pk)
    for _ in range(2):
        recording.write([served(), found])
    row = Retrieval.objects.get()
    assert (row.request_id, row.collection, row.version) == (found.request_id, collection, 4)
    assert (row.asked, row.strategy, row.chooser, row.query) == (
        "auto",
        "dense",
        "rules",
        "q\ufffd",
    )
    assert (row.rewritten_by, row.rewrite_ms, row.cost_usd) == ("cheap", 9.0, Decimal("0.5"))
    assert (row.confidence, row.signals, row.ms) == (0.25, {"dense_max": 0.75}, 1.5)
    assert row.sources == [
        {"n": 1, "text": "nul \ufffd here", "document": "key", "title": "title", "score": 0.5,
         "chunk": 7, "start": 3},
    ]  # fmt: skip
    assert Request.objects.count() == 3


@pytest.mark.django_db
def test_a_collection_that_is_gone_leaves_the_rest(served):
    recording.write([looked_up(served(), collection_id=999_999)])
    assert Retrieval.objects.get().collection is None


@pytest.mark.django_db
def test_what_was_looked_up_for_an_escalated_request_is_kept_beside_its_pair(served):
    row = looked_up(served(rate=1.0))
    probe = Probe(row.reply, "anthropic", Decimal("0.1"))
    decision = replace(row.decision, tier=Tier.EXPENSIVE, reason=Reason.ESCALATED, probe_ms=5.0)
    recording.write([replace(row, decision=decision, probes=(probe,))])
    assert (Retrieval.objects.count(), ShadowPair.objects.count()) == (1, 1)


def test_every_column_of_the_ledger_is_written():
    """A new column with no default in the database would stop all recording."""
    for model in (Request, Decision, Completion, ShadowJob):
        table = model._meta.db_table
        (said,) = re.findall(rf"INSERT INTO {table} \(([^)]*)\)", statements.WRITE)
        named = {name.strip() for name in said.split(",")}
        for column in model._meta.concrete_fields:
            has_default = column.null or column.db_default is not NOT_PROVIDED
            is_given = column.column in named or has_default or isinstance(column, AutoField)
            assert is_given, f"{table}.{column.column}"


@pytest.mark.django_db
def test_a_record_holds_the_bodies_byte_for_byte_and_stores_what_they_say(served):
    row = served()
    raw = b'{ "model":"auto", "max_tokens" : 5,\n "messages":[{"role":"user","content":"\\u00e4"}]}'
    row = replace(row, request=replace(row.request, raw=raw))
    assert raw in records.encode(row)
    recording.write([row])
    stored = Request.objects.get().payload
    assert stored == {"max_tokens": 5, "messages": [{"role": "user", "content": "ä"}]}


@pytest.mark.django_db(transaction=True)
def test_a_number_that_postgres_cannot_hold_is_rounded_rather_than_lost(served):
    row = served()
    raw = b'{"model":"m","messages":[],"temperature":1e-500000}'
    records.store([records.encode(replace(row, request=replace(row.request, raw=raw)))])
    assert Request.objects.get().payload["temperature"] == 0


@pytest.mark.django_db(transaction=True)
def test_what_nobody_wrote_is_written_by_the_next(served, journals):
    rows = [served() for _ in range(450)]  # more than two groups
    first = recording.Recorder()  # its writer never runs: Postgres is away, say
    for row in rows:
        first.put(row)
    asyncio.run(first.stop(0))
    assert Request.objects.count() == 0
    recorder = recording.Recorder()
    recorder.start()
    wait_until(lambda: not list(journals.iterdir()))
    asyncio.run(recorder.stop())
    assert set(Request.objects.values_list("pk", flat=True)) == {row.request_id for row in rows}
    assert counts() == [450] * 4


@pytest.mark.django_db(transaction=True)
def test_records_beyond_memory_come_back_from_the_journal(served, settings):
    settings.SHADOWEVAL_RECORD_QUEUE_BYTES = 1
    rows = [served(f"question {n}") for n in range(20)]
    asyncio.run(record(rows))
    assert set(Request.objects.values_list("query", flat=True)) == {r.request.query for r in rows}


def test_a_record_without_room_anywhere_is_counted(served_nowhere, settings, journals, caplog):
    journals.parent.joinpath("journal").write_text("a file where the folder should be")
    settings.SHADOWEVAL_RECORD_QUEUE_BYTES = 1
    recorder = recording.Recorder()
    for _ in range(3):  # one alone is always held
        recorder.put(served_nowhere)
    assert recorder.lost == 2
    asyncio.run(recorder.stop(0))
    assert recorder.lost == 3
    assert "not recorded" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_what_postgres_never_takes_is_set_aside(served, journals):
    bad = served(policy_id="no number")
    asyncio.run(record([bad, served()]))
    (kept,) = (journals / "refused").iterdir()
    assert json.loads(kept.read_bytes())["id"] == str(bad.request_id)
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.django_db
def test_overload_keeps_a_share_and_says_so_in_the_rate(served):
    rows = [replace(served(rate=0.5), kept_share=0.1) for _ in range(400)]
    recording.write(rows)
    states = ShadowJob.objects.values_list("state", "reason", "rate")
    kept = [state for state, _, _ in states if state == "pending"]
    why = {reason.split(":")[0] for state, reason, _ in states if state == "skipped"}
    assert why == {"overload", "not_sampled"}
    assert 2 <= len(kept) <= 45  # 20 expected
    assert {rate for _, _, rate in states} == {0.05}


@pytest.mark.django_db(transaction=True)
def test_a_record_of_a_key_that_is_gone_is_kept_without_it(served, project):
    _, key = access.create_key(project, "gone")
    row = replace(served(), api_key_id=key.pk)
    key.delete()
    asyncio.run(record([row]))
    assert Request.objects.get().api_key_id is None


@pytest.mark.django_db(transaction=True)
def test_a_journal_that_cannot_be_read_to_its_end_stays(served, journals, monkeypatch):
    first = recording.Recorder()
    for _ in range(5):
        first.put(served())
    asyncio.run(first.stop(0))
    (left,) = journals.iterdir()

    def broken(path):
        raise MemoryError

    monkeypatch.setattr(journal, "_records", broken)
    recorder = recording.Recorder()
    recorder.start()
    time.sleep(1.5)
    asyncio.run(recorder.stop())
    assert left.exists()


@pytest.fixture
def slow_rows():
    """Each request takes 20 ms to be written; the statement of more than about 20 is ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.wait() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN PERFORM pg_sleep(.02); RETURN new; END';"
            "CREATE TRIGGER slow BEFORE INSERT ON routing_request"
            " FOR EACH ROW EXECUTE FUNCTION pg_temp.wait();"
            "SET statement_timeout = '400ms'"
        )
        yield
        cursor.execute("SET statement_timeout = 0; DROP TRIGGER slow ON routing_request")


@pytest.mark.django_db(transaction=True)
def test_a_short_statement_timeout_makes_smaller_groups(served, slow_rows):
    records.store([records.encode(served()) for _ in range(24)])
    assert counts() == [24] * 4


@pytest.mark.django_db(transaction=True)
def test_what_was_written_and_deleted_does_not_come_back(served, journals, project):
    recorder = recording.Recorder()
    recorder.start()
    recorder.put(served())
    wait_until(lambda: Request.objects.count() == 1 and not recorder.waiting)
    projects.delete(project)
    (mine,) = journals.iterdir()
    copy = journals / "of-a-dead-process"  # what a kill -9 would leave at this moment
    shutil.copytree(mine, copy)
    asyncio.run(recorder.stop())
    following = recording.Recorder()
    following.start()
    wait_until(lambda: not copy.exists())
    asyncio.run(following.stop())
    assert Request.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_project_can_be_deleted_under_traffic(served, project):
    stop, failed = threading.Event(), []

    def traffic():
        while not stop.is_set():
            try:
                records.store([records.encode(served()) for _ in range(5)])
            except DatabaseError as exc:  # the recorder would try again
                failed.append(exc)
        connection.close()

    thread = threading.Thread(target=traffic)
    thread.start()
    wait_until(lambda: Request.objects.count() > 50)
    projects.delete(project)
    stop.set()
    thread.join()
    assert counts() == [0, 0, 0, 0]
