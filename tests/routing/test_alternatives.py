"""Alternatives: EXPENSIVE answers a share of the pairs on another retrieval; no pair changes."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.utils import timezone

from reviews import projects
from routing import (
    alternatives,
    bootstrap,
    collections,
    counts,
    embedders,
    indexes,
    policy,
    recording,
    retention,
    shadow,
    shifts,
    spend,
)
from routing.embedders import ids
from routing.models import (
    Chunk,
    Collection,
    CollectionVersion,
    Completion,
    Document,
    Retrieval,
    RetrievalPair,
    ShadowJob,
    ShadowPair,
)
from routing.outcomes import Outcome, finish
from routing.records import is_drawn
from routing.retrieval.base import Found
from routing.served import Probe, Served
from routing.types import (
    ChatRequest,
    DecisionValue,
    Price,
    Reason,
    Reply,
    RetrievalValue,
    Source,
    Tier,
    TierSpec,
    Usage,
)
from routing.wire import sources
from tests.routing import standin

pytestmark = pytest.mark.django_db(transaction=True)
PRICE = Price(Decimal(1), Decimal(5))
PURPOSE = ShadowJob.Purpose.RETRIEVAL
#: Words and vectors disagree: bm25 finds the second for "cats", dense the first.
TEXTS = ("a feline is an animal", "cats, cats, cats", "stones")


@pytest.fixture
def provider():
    """A Messages API that answers with the statuses it is given, then 200; and who was asked."""
    replies, asked = [], []

    def answer(model):
        asked.append(model)
        return replies.pop(0) if replies else 200

    with standin.answering(answer) as url:
        yield url, replies, asked


@pytest.fixture
def collection(project, settings, tmp_path):
    """Three chunks whose vectors are those of other texts than their own."""
    settings.SHADOWEVAL_INDEX_DIR = tmp_path / "indexes"
    made = Collection.objects.create(project=project, name="c", embedder=ids.STATIC)
    vectors = [embedders.get(ids.STATIC).embed(text) for text in ("cats", "pears", "stones")]
    for n, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True)):
        document = Document.objects.create(
            collection=made, key=f"d{n}", text=text, sha256=f"{n}", added_in=1
        )
        Chunk.objects.create(
            document=document, ordinal=0, start=0, text=text,
            vector=np.asarray(vector, "<f4").tobytes(),
        )  # fmt: skip
    CollectionVersion.objects.create(
        collection=made, number=1, documents=3, chunks=3, digest=collections.digest(made, 1)
    )
    return made


def found(collection, strategy="bm25", row=1, version=1, **changes):
    """Return what serving found: one source."""
    chunk = Chunk.objects.filter(text=TEXTS[row]).first()
    source = Source(1, TEXTS[row], f"d{row}", chunk=chunk and chunk.pk)
    value = RetrievalValue(
        strategy=strategy, asked="auto", chooser="rules", query="cats", sources=(source,),
        confidence=0.5, ms=3.0, collection="c", collection_id=collection and collection.pk,
        version=version,
    )  # fmt: skip
    return replace(value, **changes)


@pytest.fixture
def record(project, provider):
    """Record a reply under a policy with this retrieval rate; its calls go to the stand-in."""
    url, *_ = provider

    def write(looked_up, tier=Tier.CHEAP, rate=1.0, request_id=None, probe_ms=None, **changes):
        live = policy.live(project)
        small, large = (
            TierSpec("anthropic", name, base_url=url, price=PRICE) for name in ("small", "large")
        )
        mine = policy.create(
            project=project, router=live.router, threshold=0.4, cheap=small, expensive=large,
            retrieval_rate=rate,
        )  # fmt: skip
        reply = Reply(
            json.dumps(standin.MESSAGE).encode(), "served", "m", "end_turn", Usage(3, 2), 1
        )
        asked = {"messages": [{"role": "user", "content": "cats"}], "max_tokens": 5}
        request = ChatRequest(asked, "cats", "auto")
        if looked_up is not None:
            payload = sources.with_sources(asked, looked_up.sources)
            request = replace(request, payload=payload, retrieval=looked_up)
        row = Served(
            request_id or uuid4(), timezone.now(), project.pk, None, mine.pk, "anthropic", request,
            DecisionValue(tier, Reason.BELOW_THRESHOLD, 0.4, 0.3, probe_ms=probe_ms),
            200, "", "anthropic", reply, None, 1.0, 1.0, 2.0, **changes,
        )  # fmt: skip
        recording.write([row])
        return row.request_id

    return write


def work():
    """Run shifts until nothing is due."""
    while shifts.run():
        pass


def job_of(request_id):
    return ShadowJob.objects.get(request_id=request_id, purpose=PURPOSE)


@pytest.mark.parametrize("tier", list(Tier))
def test_the_expensive_tier_answers_on_what_the_other_strategy_finds(
    record, provider, collection, tier
):
    *_, asked = provider
    request_id = record(found(collection), tier)
    work()
    pair, job = ShadowPair.objects.get(request_id=request_id), job_of(request_id)
    row = RetrievalPair.objects.get(request_id=request_id)
    assert (job.state, job.tier, job.attempts) == ("done", "expensive", 1)
    assert (row.pair, row.strategy, row.other.tier, row.other.ordinal) == (
        pair, "dense", "expensive", 3,
    )  # fmt: skip
    assert [(one["n"], one["text"], one["document"]) for one in row.sources] == [
        (1, TEXTS[0], "d0")
    ]
    assert row.other.is_shadow
    assert pair.expensive.ordinal == pair.cheap.ordinal == 1
    assert sorted(asked) == sorted(["large", "small" if tier is Tier.EXPENSIVE else "large"])


def test_the_call_has_the_other_sources_in_the_place_of_those_that_were_served(record, collection):
    record(found(collection))
    shifts.run()
    work()
    (job,) = ShadowJob.objects.filter(purpose=PURPOSE)
    claimed = shadow._read([(
        job.pk, job.request_id, job.project_id, PURPOSE, "expensive", 1.0, 1, timezone.now(), "",
    )])  # fmt: skip
    other = alternatives.find(claimed[0])
    payload = sources.swap(claimed[0].payload, other.sources)
    said = json.dumps(payload)
    assert TEXTS[0] in said
    assert TEXTS[1] not in said
    assert len(payload["messages"]) == 2


@pytest.mark.parametrize("reranks", [True, False])
def test_what_serving_ranks_once_more_is_ranked_once_more(record, collection, monkeypatch, reranks):
    Collection.objects.update(reranks=reranks)
    request_id = record(found(collection))
    upside_down = lambda index: lambda query, rows: Found(rows.rows[::-1], rows.scores)  # noqa: E731
    monkeypatch.setattr(alternatives.retrieving, "rerank", upside_down)
    work()
    (source,) = RetrievalPair.objects.get(request_id=request_id).sources
    assert (source["text"] == TEXTS[0]) is not reranks


def test_the_same_sources_in_the_same_order_are_not_asked_about(record, provider, collection):
    *_, asked = provider
    request_id = record(found(collection, row=0))
    work()
    job = job_of(request_id)
    assert (job.state, job.reason.split(":")[0]) == ("skipped", "same_sources")
    assert (len(asked), RetrievalPair.objects.count()) == (1, 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [("deleted", "collection_deleted"), ("changed", "version_gone")],
)
def test_what_is_gone_is_not_asked_about(record, provider, collection, change, reason):
    *_, asked = provider
    request_id = record(found(collection))
    if change == "deleted":
        Collection.objects.update(deleted_at=timezone.now())
    else:
        CollectionVersion.objects.create(
            collection=collection, number=2, documents=3, chunks=3, digest="x"
        )
    work()
    job = job_of(request_id)
    assert (job.state, job.reason.split(":")[0]) == ("skipped", reason)
    assert (len(asked), ShadowPair.objects.count(), RetrievalPair.objects.count()) == (1, 1, 0)


def test_an_older_version_is_searched_while_its_index_is_there(record, collection):
    indexes.ensure(collection.versions.get())
    request_id = record(found(collection))
    CollectionVersion.objects.create(
        collection=collection, number=2, documents=3, chunks=3, digest="x"
    )
    work()
    assert job_of(request_id).state == "done"


@pytest.mark.parametrize(
    ("key", "reason", "texts"), [("d0", "", [TEXTS[1]]), ("d2", "sources_gone", None)]
)
def test_what_was_removed_since_is_not_found_and_nothing_is_compared_with_it(
    record, collection, key, reason, texts
):
    indexes.ensure(collection.versions.get())
    request_id = record(found(collection, row=2))
    collections.remove(collection, [key])
    work()
    assert job_of(request_id).reason.split(":")[0] == reason
    rows = RetrievalPair.objects.values_list("sources", flat=True)
    assert [[one["text"] for one in row] for row in rows] == ([texts] if texts else [])


def test_no_index_stays_open_when_there_is_nothing_to_do(record, collection):
    record(found(collection))
    work()
    assert RetrievalPair.objects.exists()
    assert alternatives._opened.cache_info().currsize == 0


def test_a_lookup_that_fails_fails_its_job_and_leaves_the_pair(record, provider, collection):
    Collection.objects.update(embedder="nobody's")
    request_id = record(found(collection))
    work()
    job = job_of(request_id)
    assert (job.state, job.reason.split(":")[0]) == ("failed", "retrieval_error")
    assert ShadowPair.objects.count() == 1


@pytest.mark.parametrize("looked_up", [None, "client"])
def test_requests_that_searched_no_collection_are_not_asked_again(record, provider, looked_up):
    *_, asked = provider
    value = looked_up and found(
        None, strategy="client", asked="client", chooser="client", version=None
    )
    record(value)
    work()
    assert (len(asked), ShadowJob.objects.filter(purpose=PURPOSE).count()) == (1, 0)


@pytest.mark.parametrize(("rate", "n"), [(1.0, 1), (0.0, 0)])
def test_a_pair_that_is_recorded_with_its_request_has_its_job_at_once(
    record, provider, collection, rate, n
):
    *_, asked = provider
    reply = Reply(json.dumps(standin.MESSAGE).encode(), "cheap", "m", "end_turn", Usage(3, 2), 1)
    lane = TierSpec("anthropic", "large", base_url=provider[0]).lane
    record(
        found(collection), Tier.EXPENSIVE, rate=rate, probe_ms=1.0, retrieval_rate=rate,
        probes=(Probe(reply, "anthropic", Decimal(0)),), repeat_lane=lane,
    )  # fmt: skip
    assert ShadowPair.objects.count() == 1
    work()
    assert (asked, RetrievalPair.objects.count()) == (["large"] * n, n)


def test_only_drawn_pairs_are_asked(record, collection):
    drawn = [UUID(int=n) for n in range(12)]
    for request_id in drawn:
        record(found(collection), rate=0.5, request_id=request_id)
    work()
    expected = {one for one in drawn if is_drawn(str(one), 0.5, "retrieval")}
    assert {row.request_id for row in RetrievalPair.objects.all()} == expected
    assert 0 < len(expected) < 12


def test_a_policy_without_them_asks_once(record, provider, collection):
    *_, asked = provider
    record(found(collection), rate=0.0)
    work()
    assert (len(asked), ShadowJob.objects.count()) == (1, 1)


def test_while_shadow_work_is_shed_they_are_and_say_so(record, provider, collection):
    *_, asked = provider
    kept = next(one for one in (UUID(int=n) for n in range(999)) if is_drawn(str(one), 0.1))
    record(found(collection), request_id=kept, kept_share=0.1)
    work()
    job = job_of(kept)
    assert (job.state, job.reason.split(":")[0]) == ("skipped", "overload")
    assert len(asked) == 1


def test_a_killed_workers_answer_is_written_once(record, project, collection):
    request_id = record(found(collection))
    shifts.run()
    ShadowJob.objects.filter(purpose=PURPOSE).delete()
    RetrievalPair.objects.all().delete()
    Completion.objects.filter(ordinal=Completion.ELSEWHERE).delete()
    ShadowJob.objects.create(
        request_id=request_id, project=project, purpose=PURPOSE, tier="expensive", rate=1.0,
        lane="x", not_before=timezone.now(),
    )  # fmt: skip
    (late,) = shadow.claim(10)
    ShadowJob.objects.filter(pk=late.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert shadow.recover() == 1
    (again,) = shadow.claim(10)
    reply = Reply(json.dumps(standin.MESSAGE).encode(), "again", "m", "end_turn", Usage(3, 2), 1.0)
    elsewhere = alternatives.Elsewhere("dense", (Source(1, "t"),), 1.0)
    finish([(again, Outcome(reply, elsewhere=elsewhere))])
    finish([(late, Outcome(replace(reply, text="late"), elsewhere=elsewhere))])
    alternatives.write([(again, elsewhere)])
    assert RetrievalPair.objects.get(request_id=request_id).other.text == "again"
    assert (counts.pairs(project), ShadowPair.objects.count()) == (1, 1)


def test_the_days_cap_counts_them_and_what_was_not_asked_costs_nothing(record, project, collection):
    project.shadow_daily_usd = Decimal(1)
    project.save()
    record(found(collection))
    record(found(collection, row=0))
    work()
    shadow_cost = sum(row.cost_usd for row in Completion.objects.filter(is_shadow=True))
    assert Completion.objects.filter(is_shadow=True).count() == 3
    assert spend.today(project) == shadow_cost > 0


def test_retention_takes_them_with_their_request(record, collection):
    record(found(collection))
    work()
    assert RetrievalPair.objects.count() == 1
    retention.run(now=timezone.now() + timedelta(days=400))
    assert (RetrievalPair.objects.count(), Completion.objects.count()) == (0, 0)


def test_a_project_is_deleted_with_its_collections_and_what_was_found_in_them(
    record, project, collection
):
    record(found(collection))
    work()
    projects.delete(project)
    assert (Retrieval.objects.count(), Collection.objects.count()) == (0, 0)


@pytest.mark.parametrize(("kind", "rate"), [("live", 0.25), ("replay", 0.0), ("demo", 0.0)])
def test_only_a_live_projects_first_policy_has_the_rate_of_the_settings(
    starter, settings, kind, rate
):
    settings.SHADOWEVAL_RETRIEVAL_RATE = 0.25
    first = policy.live(bootstrap.ensure_project("other", "Other", starter, kind))
    assert first.retrieval_rate == rate
    assert policy.with_threshold(first, 0.3, "note").retrieval_rate == rate
