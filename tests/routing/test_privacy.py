"""What was to go is nowhere: every table and the journal's folder are looked through."""

import asyncio
import json
import threading
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import httpx2 as httpx
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from reviews import forgetting, permissions, revealing, sampling
from reviews.errors import BadInput
from reviews.models import AuditEntry, Rater, Verdict
from routing import (
    access,
    call,
    erasing,
    journal,
    policy,
    privacy,
    recording,
    redaction,
    retention,
    usage,
)  # fmt: skip
from routing.live import live
from routing.models import Completion, Erasure, Feedback, Project, Request, ShadowJob, ShadowPair
from routing.redaction import Keeping
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier, Usage
from tests.reviews.rows import add_pair

#: Everything a client may say, and what a provider may answer.
PLANTED = "ada.lovelace@example.org"
CARD, KEY, PHONE = "4111 1111 1111 1111", "sk-ant-api03-abcdefghijklmnop", "+49 30 901820"
DECISION = DecisionValue(Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD, 0.5)
TEXT = f"I am {PLANTED}, {PHONE}, card {CARD}, key {KEY}."


def dump():
    """Return every row of every table as text, with what is stored as bytes read as text, too."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        tables = [name for (name,) in cursor.fetchall()]
        assert {"routing_request", "routing_completion", "reviews_verdict"} <= set(tables)
        said = []
        for table in tables:
            cursor.execute(f'SELECT row::text FROM "{table}" AS row')
            said += [text for (text,) in cursor.fetchall()]
    return "\n".join(said)


def journals():
    """Return what is in the journal's folder."""
    root = django_settings.SHADOWEVAL_JOURNAL_DIR
    files = (path for path in root.rglob("*") if path.is_file())
    return b"\n".join(path.read_bytes() for path in files)


def found(*planted):
    """Return which of the strings are anywhere."""
    rows, files = dump(), journals()
    return {
        one for one in planted if one in rows or one.encode().hex() in rows or one.encode() in files
    }


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.SHADOWEVAL_JOURNAL_DIR = tmp_path / "journal"
    cache.clear()


@pytest.fixture
def keeps(project, request):
    def put(keeps, **more):
        Project.objects.filter(pk=project.pk).update(keeps=keeps, **more)
        if "server" in request.fixturenames:  # else it would close the connection of a transaction
            live.refresh()

    return put


def ask(service, api_key, text=TEXT, user="customer-7", path="/v1/messages", **more):
    body = {"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
    body |= {"metadata": {"user_id": user}} if path == "/v1/messages" else {"user": user}
    headers = {"x-api-key": api_key, "x-shadoweval-session": text[:100].strip(), **more}
    answer = httpx.post(f"{service}{path}", json=body, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer


def test_the_grep_finds_what_is_stored_as_it_was_sent(
    service, provider, point, api_key, eventually
):
    point()
    ask(service, api_key)
    eventually(Request.objects.exists)
    assert found(PLANTED, CARD, KEY, PHONE, "customer-7") == {
        PLANTED, CARD, KEY, PHONE, "customer-7",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_what_was_redacted_reached_neither_a_table_nor_the_journal(
    service, provider, point, api_key, eventually, keeps, path
):
    point(rate=1.0)
    keeps("redacted", redactions=[{"kind": "order", "pattern": "ORD-[0-9]+"}])
    answer = ask(service, api_key, f"{TEXT} ORD-77.", path=path)
    eventually(Request.objects.exists)
    row = Request.objects.get()
    assert found(PLANTED, CARD, KEY, PHONE, "customer-7", "ORD-77") == set()
    assert row.query == "I am [email], [phone], card [card], key [key]. [order]."
    assert row.redacted["prompt"] == {"email": 1, "phone": 1, "card": 1, "key": 1, "order": 1}
    assert row.end_user == privacy.end_user(row.project_id, "customer-7")
    job = row.shadow_jobs.get()
    assert (job.state, job.reason.partition(":")[0]) == ("skipped", "redacted")
    assert answer.headers["x-shadoweval-shadow"] == "none"
    assert PLANTED.encode() in provider.seen[-1].body  # who is asked, is asked it all


def test_a_request_with_nothing_to_take_out_is_asked_of_both_models_as_ever(
    service, provider, point, api_key, eventually, keeps
):
    point(rate=1.0)
    keeps("redacted")
    ask(service, api_key, "What is due when?")
    eventually(Request.objects.exists)
    assert Request.objects.get().redacted.get("prompt") is None
    assert ShadowJob.objects.get().state == "pending"


def test_where_nothing_is_kept_there_are_hashes_scores_and_costs_alone(
    service, provider, point, api_key, eventually, keeps
):
    point(rate=1.0)
    keeps("nothing")
    word = "unmistakable"
    for _ in range(2):
        ask(service, api_key, f"{word} {TEXT}", **{"idempotency-key": "one"})
    eventually(lambda: Request.objects.count() == 2)  # no reply was kept
    row = Request.objects.first()
    assert found(word, PLANTED, "customer-7") == set()
    completion = row.completions.get()
    assert (row.query, completion.text) == ("", "")
    assert set(row.payload) == set(completion.body) == {"hmac_sha256"}
    assert row.decision.score is not None
    assert completion.output_tokens
    reasons = {job.reason.partition(":")[0] for job in ShadowJob.objects.all()}
    assert reasons == {"not_kept", "sticky"}
    headers = {"x-api-key": api_key}
    told = httpx.get(f"{service}/api/v1/requests/{row.pk}", headers=headers)
    assert told.status_code == 200
    said = {"comment": f"{word}!", "thumb": "up"}
    url = f"{service}/api/v1/requests/{row.pk}/feedback"
    assert httpx.post(url, json=said, headers=headers).status_code == 201
    assert Feedback.objects.get().comment == ""


def test_of_a_stream_nothing_more_is_kept(service, provider, point, api_key, eventually, keeps):
    point()
    keeps("redacted")
    body = {"model": "auto", "max_tokens": 50, "stream": True,
            "messages": [{"role": "user", "content": TEXT}]}  # fmt: skip
    answer = httpx.post(
        f"{service}/v1/messages", json=body, headers={"x-api-key": api_key}, timeout=20
    )
    assert answer.status_code == 200
    eventually(Completion.objects.exists)
    assert found(PLANTED, CARD, KEY, PHONE) == set()


@pytest.mark.django_db
def test_an_answer_of_the_other_model_is_redacted_as_the_served_one(project, keeps):
    from routing import outcomes, shadow
    from routing.outcomes import Outcome
    from tests.reviews.rows import reply

    pair = add_pair(project, 0.2, cheap="fine", expensive="fine")
    pair.delete()
    Completion.objects.filter(is_shadow=True).delete()
    ShadowJob.objects.update(state="pending", finished_at=None)
    keeps("redacted")
    (job,) = shadow.claim(5)
    outcomes.finish([(job, Outcome(reply(f"Write to {PLANTED}.")))])
    assert ShadowPair.objects.get().cheap.text == "Write to [email]."
    assert found(PLANTED) == set()


@pytest.mark.django_db
def test_a_job_whose_project_stores_no_texts_any_more_asks_nobody(project, keeps):
    from routing import shadow

    add_pair(project, 0.2).delete()
    Completion.objects.filter(is_shadow=True).delete()
    ShadowJob.objects.update(state="pending", finished_at=None)
    keeps("nothing")
    assert shadow.claim(5) == []
    assert ShadowJob.objects.get().reason.startswith("not_kept")


async def test_a_long_answer_is_looked_through_beside_the_event_loop():
    seen = []

    def redactor(text):
        seen.append(threading.current_thread())
        return text.replace("Ada", "[name]"), {"name": text.count("Ada")}

    body = json.dumps({"text": "Ada " * 3000}).encode()
    reply = Reply(body, "Ada", "m", "end_turn", Usage(1, 1), 1.0)
    row = Served(
        uuid4(), timezone.now(), 1, None, 1, "anthropic", ChatRequest({}, "q", "auto"), DECISION,
        200, "", "simulated", reply, None, 0.0, 0.0, 0.0, keeping=Keeping("redacted", (redactor,)),
    )  # fmt: skip
    left = await call.as_stored(row)
    assert (left.reply.text, left.redacted) == ("[name]", {"answer": {"name": 3000}})
    assert threading.current_thread() not in seen
    assert redaction.replies(left) == left
    short = replace(row, reply=replace(reply, body=b"{}"))
    assert await call.as_stored(short) is short


@pytest.mark.django_db
def test_a_plug_in_that_the_settings_name_is_asked_too(settings):
    settings.SHADOWEVAL_REDACTORS = [f"{__name__}.names"]
    privacy.read.cache_clear()
    keeping = privacy.read("redacted", "[]")
    privacy.read.cache_clear()
    assert keeping.comment(f"Ada, {PLANTED}") == "[name], [email]"


def test_where_a_plug_in_fails_the_client_is_served_and_no_text_is_stored(
    service, provider, point, api_key, eventually, keeps, settings
):
    settings.SHADOWEVAL_REDACTORS = [f"{__name__}.fails"]
    privacy.read.cache_clear()
    point(rate=1.0)
    keeps("redacted")
    ask(service, api_key, TEXT)
    eventually(Completion.objects.exists)
    privacy.read.cache_clear()
    row = Request.objects.get()
    assert found(PLANTED, CARD) == set()
    assert (row.query, row.completions.get().text) == ("[unseen]", "[unseen]")
    assert ShadowJob.objects.get().state == "skipped"


def test_a_long_body_is_looked_through_in_a_thread(
    service, provider, point, api_key, eventually, keeps, settings
):
    settings.SHADOWEVAL_REDACTORS = [f"{__name__}.thread"]
    privacy.read.cache_clear()
    point()
    keeps("redacted")
    ask(service, api_key, "short")
    ask(service, api_key, "long " * 2000)
    eventually(lambda: Request.objects.count() == 2)
    privacy.read.cache_clear()
    short, long = (row.query for row in Request.objects.order_by("received_at"))
    assert (short, long) == ("on the loop", "in a thread")


def fails(text):
    """Fail."""
    raise RuntimeError(text)


def thread(text):
    """Leave whether an event loop waits for this."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return "in a thread", {}
    return "on the loop", {}


def names(text):
    """Take one name out."""
    return text.replace("Ada", "[name]"), {"name": text.count("Ada")}


@pytest.fixture
def boss(client, django_user_model):
    """Log in somebody who administers."""
    permissions.ensure_roles()
    user = django_user_model.objects.create_user("boss")
    permissions.give(user, "admin")
    client.force_login(user)


def of_user(project, named, text, days=0, **more):
    """Write a pair of an end user's, rated, seen and commented, so many days ago."""
    pair = add_pair(project, 0.2, query=text, cheap=text, expensive=text, **more)
    at = timezone.now() - timedelta(days=days)
    end_user = privacy.end_user(project.pk, named)
    Request.objects.filter(pk=pair.request_id).update(received_at=at, end_user=end_user)
    Feedback.objects.create(request_id=pair.request_id, comment=text, digest="d")
    return pair


def rated(project, pair):
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    sampling.extend(study)
    rater = Rater.objects.create(kind="human", name="ann")
    Verdict.objects.create(study=study, pair=pair, rater=rater, cheap_adequate=True)
    revealing.reveal(pair, rater)


@pytest.mark.django_db(transaction=True)
def test_who_is_forgotten_is_nowhere_and_others_are_where_they_were(project):
    mine, other = of_user(project, "u1", "mine-7291"), of_user(project, "u2", "other-7291")
    older = add_pair(project, 0.2, query="older-7291", payload={
        "messages": [{"role": "user", "content": "older-7291"}], "metadata": {"user_id": "u1"},
    })  # fmt: skip
    rated(project, mine)
    assert found("mine-7291", "older-7291", "other-7291") == {
        "mine-7291", "older-7291", "other-7291",
    }  # fmt: skip
    call_command("forget", "--project", project.slug, "--user", "u1")
    assert found("mine-7291", "older-7291", "other-7291") == {"other-7291"}
    assert list(ShadowPair.objects.all()) == [other]
    assert not Request.objects.filter(pk__in=[mine.request_id, older.request_id]).exists()
    row = Erasure.objects.get()
    assert row.counts["routing.Request"] == row.n_requests == 2
    assert row.counts["reviews.Verdict"] == 1
    assert AuditEntry.objects.get(event="privacy.erased").detail == {"deleted": row.counts}


def waiting(project, named, text):
    """Return a served reply of an end user as it is recorded."""
    from tests.reviews.rows import _served

    served = _served(policy.live(project), 0.2, text, text, "0.01", 0.0, "math", None, None)
    return replace(served, end_user=privacy.end_user(project.pk, named))


@pytest.mark.django_db
def test_what_an_end_user_cost_is_counted_before_they_are_forgotten(project):
    pair = of_user(project, "u1", "secret")
    at = Request.objects.get(pk=pair.request_id).received_at
    forgetting.forget(project, "u1", None)
    (found,) = usage.figures(at - timedelta(1), at + timedelta(1), (), project_id=project.pk)
    assert found["calls"] == 2


@pytest.mark.django_db
def test_what_waits_in_the_journal_of_a_dead_process_goes_too(project, settings):
    root = settings.SHADOWEVAL_JOURNAL_DIR
    died = journal.Journal(root, 10_000_000)
    for named, text in (("u1", "mine-7291"), ("u2", "other-7291")):
        died.append(recording.records.encode(waiting(project, named, text)))
    died.close()
    (root / "refused").mkdir()
    for named, text in (("u1", "mine-7291"), ("u2", "other-7291")):
        record = recording.records.encode(waiting(project, named, text))
        (root / "refused" / f"{named}.json").write_bytes(record)
    assert b"mine-7291" in journals()
    forgetting.forget(project, "u1", None)
    assert found("mine-7291", "other-7291") == {"other-7291"}
    assert [row.query for row in Request.objects.all()] == ["other-7291"]
    assert [path.name for path in (root / "refused").iterdir()] == ["u2.json"]


@pytest.mark.django_db
def test_what_arrives_after_somebody_was_forgotten_goes_and_what_they_ask_later_stays(project):
    late = waiting(project, "u1", "late-7291")
    forgetting.forget(project, "u1", None)
    recording.write([late, waiting(project, "u1", "new-7291")])
    assert erasing.again() > 0
    assert found("late-7291", "new-7291") == {"new-7291"}


def test_the_reply_that_an_idempotency_key_holds_goes(
    service, provider, point, api_key, project, eventually
):
    point()
    ask(service, api_key, "hello", user="u1", **{"idempotency-key": "one"})
    ask(service, api_key, "hello", user="u2", **{"idempotency-key": "two"})
    eventually(lambda: Request.objects.count() == 2)
    eventually(lambda: _kept() == 2)
    made = forgetting.forget(project, "u1", None)
    assert (made.counts["replies"], _kept()) == (1, 1)


def _kept():
    import redis

    with redis.Redis.from_url(django_settings.REDIS_URL) as client:
        names = list(client.scan_iter("shadoweval:idempotency:*"))
        return sum(b"status" in (client.get(name) or b"") for name in names)


@pytest.mark.django_db
def test_each_project_has_its_own_time_and_what_is_older_is_nowhere(project, demo, settings):
    settings.SHADOWEVAL_RETENTION_DAYS = 100
    Project.objects.filter(pk=project.pk).update(retention_days=10)
    of_user(project, "u1", "mine-7291", days=11)
    of_user(project, "u1", "young-7291", days=9)
    of_user(demo, "u1", "theirs-7291", days=11)
    folder = settings.SHADOWEVAL_JOURNAL_DIR / "refused"
    folder.mkdir(parents=True)
    old = replace(waiting(project, "u1", "mine-7291"), received_at=timezone.now() - timedelta(11))
    (folder / "old.json").write_bytes(recording.records.encode(old))
    retention.run()
    assert found("mine-7291", "young-7291", "theirs-7291") == {"young-7291", "theirs-7291"}
    Project.objects.filter(pk=project.pk).update(retention_days=0)
    assert retention.cutoff(Project.objects.get(pk=project.pk)) is None


@pytest.mark.django_db
def test_the_form_changes_what_is_stored_and_shows_it(client, project, boss):
    said = {"project": project.slug, "keeps": "redacted", "redactions": "order: ORD-[0-9]+",
            "retention_days": "30"}  # fmt: skip
    answer = client.post("/settings/privacy/", said, follow=True)
    page = answer.content.decode()
    assert 'value="redacted" checked' in page
    assert "order: ORD-[0-9]+" in page
    project.refresh_from_db()
    assert (project.keeps, project.retention_days) == ("redacted", 30)
    answer = client.post("/settings/privacy/", {**said, "redactions": "order: ("}, follow=True)
    assert "this is no pattern" in answer.content.decode()
    assert AuditEntry.objects.filter(event="privacy.changed").count() == 1


@pytest.mark.django_db
def test_the_form_that_forgets_wants_the_name_twice_and_deletes_in_this_project_alone(
    client, project, demo, boss
):
    mine, theirs = of_user(project, "u1", "mine-7291"), of_user(demo, "u1", "theirs-7291")
    said = {"project": project.slug, "user": "u1", "again": "u2"}
    assert "twice" in client.post("/settings/erase/", said, follow=True).content.decode()
    assert Request.objects.filter(pk=mine.request_id).exists()
    page = client.post("/settings/erase/", {**said, "again": " u1 "}, follow=True).content.decode()
    assert "1 requests with all that belonged to them" in page
    assert "by boss" in page
    assert found("mine-7291", "theirs-7291") == {"theirs-7291"}
    assert Request.objects.filter(pk=theirs.request_id).exists()


@pytest.mark.django_db
def test_a_form_that_cannot_be_is_refused_and_one_that_can_is_noted(project, django_user_model):
    ann = django_user_model.objects.create_user("ann")
    for said in (("some", "", ""), ("redacted", "x", ""), ("redacted", "x: (", ""),
                 ("redacted", "x: a*", ""), ("all", "", "0"), ("all", "", "x")):  # fmt: skip
        with pytest.raises(BadInput):
            forgetting.read(*said)
    choice = forgetting.read("redacted", " order: ORD-[0-9]+\n", "30")
    forgetting.put(project, choice, ann)
    project.refresh_from_db()
    assert (project.keeps, project.retention_days) == ("redacted", 30)
    assert project.redactions == [{"kind": "order", "pattern": "ORD-[0-9]+"}]
    forgetting.put(project, choice, ann)
    entry = AuditEntry.objects.get(event="privacy.changed")
    assert entry.detail["after"]["retention_days"] == 30


@pytest.mark.django_db
def test_an_imported_pair_is_redacted_and_refused_where_no_text_is_kept(client, project, keeps):
    key, _ = access.create_key(project, "import")
    names = {tier: policy.live(project).tier_spec(tier).model for tier in ("cheap", "expensive")}
    sides = {tier: {"model": name, "text": TEXT} for tier, name in names.items()}
    body = json.dumps({"pairs": [{"id": "1", "query": TEXT, "score": 0.5, **sides}]})

    def send():
        return client.post("/api/v1/pairs", body, "application/json", headers={"x-api-key": key})

    keeps("nothing")
    assert send().status_code == 409
    keeps("redacted")
    assert send().json() == {"imported": 1, "already_there": 0}
    assert found(PLANTED, CARD, KEY, PHONE) == set()
    assert "email" in Request.objects.get().redacted["prompt"]
