"""The pages of collections: made, filled, watched, looked through and deleted by people."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from routing import collections, indexes, indexing
from routing.embedders import ids
from routing.models import Collection, Document, Upload

pytestmark = pytest.mark.django_db

LINES = "\n".join(
    json.dumps({"id": f"faq/{n}", "title": f"Title {n}", "text": f"Invoice {n} is <b>due</b>."})
    for n in range(30)
).encode()


@pytest.fixture
def handbook(project):
    return collections.create(project, "handbook", embedder=ids.STATIC)


@pytest.fixture
def filled(handbook):
    indexing.work(collections.upload(handbook, "faq.jsonl", LINES).pk)
    return handbook


def text(answer):
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


def said(answer):
    return " ".join(str(one) for one in get_messages(answer.wsgi_request))


def test_no_collection_says_what_one_is_for(as_role, project):
    page = text(as_role("lead").get("/collections/"))
    assert "No collection yet" in page
    assert "curl http://testserver/api/v1/collections" in page
    assert 'name="file"' in page


def test_readers_look_and_change_nothing(as_role, filled):
    client = as_role("product")
    for address in ("/collections/", f"/collections/{filled.pk}/"):
        page = text(client.get(address))
        assert "handbook" in page
        assert 'name="file"' not in page
        assert "Delete" not in page
    assert "Remove" not in text(client.get(f"/collections/{filled.pk}/documents/"))


def test_one_is_made_with_its_first_file_or_not_at_all(as_role, project):
    client = as_role("engineering")
    form = {"project": project.slug, "name": "handbook", "description": "How we work"}
    empty = client.post("/collections/", form | {"file": SimpleUploadedFile("a.md", b" ")})
    assert 'role="alert"' in text(empty)
    assert 'value="How we work"' in text(empty)
    assert not Collection.objects.exists()
    made = client.post("/collections/", form | {"file": SimpleUploadedFile("a.md", b"# Text")})
    row = Collection.objects.get()
    assert made.url == f"/collections/{row.pk}/"
    upload = row.uploads.get()
    assert (upload.name, upload.made_by.username) == ("a.md", "engineering")
    twice = client.post("/collections/", form)
    assert "handbook" in text(twice)
    assert "already" in text(twice)


def test_an_upload_under_way_shows_its_progress_and_asks_again(as_role, handbook):
    row = collections.upload(handbook, "faq.jsonl", LINES)
    Upload.objects.filter(pk=row.pk).update(
        state="running", chunks=120, embedded=30, documents=30,
        started_at=timezone.now() - timedelta(seconds=10),
        refused=[{"where": "line 3", "why": "It has no text."}],
    )  # fmt: skip
    page = text(as_role("lead").get(f"/collections/{handbook.pk}/"))
    assert 'value="30" max="120"' in page
    assert re.search(r"30 of 120 chunks embedded, [\d.]+ a second", page)
    assert "About " in page
    assert "It has no text." in page
    assert f'hx-get="/collections/{handbook.pk}/"' in page


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "Waits for a free indexer."),
        ({"state": "running", "documents": 150}, "Reading. 150 documents read."),
        ({"state": "running", "documents": 3, "chunks": 9}, "Embedding. 3 documents read, 0 of 9"),
        ({"state": "running", "documents": 3, "chunks": 9, "embedded": 9}, "Making the version."),
    ],
)
def test_an_upload_under_way_says_what_it_is_at(as_role, handbook, fields, says):
    row = collections.upload(handbook, "faq.jsonl", LINES)
    collections.upload(handbook, "more.jsonl", LINES)
    Upload.objects.filter(pk=row.pk).update(**fields)
    page = text(as_role("lead").get(f"/collections/{handbook.pk}/"))
    assert says in page
    assert "Waits for the upload before it." in page


def test_what_is_done_asks_no_more(as_role, filled):
    page = text(as_role("lead").get(f"/collections/{filled.pk}/"))
    assert "30 documents in" in page
    assert "Made version 1." in page
    assert "hx-get" not in page


def test_an_upload_is_cancelled_and_tried_again(as_role, handbook):
    client, row = as_role("lead"), collections.upload(handbook, "faq.jsonl", LINES)
    address = f"/collections/{handbook.pk}/uploads/{row.pk}"
    client.post(f"{address}/cancel/")
    row.refresh_from_db()
    assert row.state == "cancelled"
    assert "ended already" in said(client.post(f"{address}/cancel/"))
    Upload.objects.filter(pk=row.pk).update(state="failed", reason="No model.", content=LINES)
    assert "Try again" in text(client.get(f"/collections/{handbook.pk}/"))
    client.post(f"{address}/retry/")
    row.refresh_from_db()
    assert row.state == "waiting"


def test_what_can_never_be_read_is_not_offered_to_be_tried_again(as_role, handbook):
    indexing.work(collections.upload(handbook, "a.pdf", b"%PDF-1.7\n").pk)
    page = text(as_role("lead").get(f"/collections/{handbook.pk}/"))
    assert "The PDF is damaged." in page
    assert "Try again" not in page


def test_a_version_whose_files_are_not_written_yet_says_so(as_role, filled):
    collections.remove(filled, ["faq/7"])
    page = text(as_role("lead").get(f"/collections/{filled.pk}/"))
    assert "Version 2 is not searched yet" in page
    assert "hx-get" in page


def test_a_file_that_is_too_large_or_missing_is_refused_with_a_sentence(
    as_role, handbook, settings
):
    settings.SHADOWEVAL_UPLOAD_MAX_BYTES = 1_000_000
    client, address = as_role("lead"), f"/collections/{handbook.pk}/uploads/"
    large = client.post(address, {"file": SimpleUploadedFile("a.md", b"x" * 1_000_001)})
    assert "larger than 1 MB" in said(large)
    assert "Choose a file" in said(client.post(address))
    assert not Upload.objects.exists()


def test_documents_are_found_read_as_text_and_removed(as_role, filled):
    client, address = as_role("lead"), f"/collections/{filled.pk}/documents/"
    pages = [client.get(f"{address}?page={n}").context["paged"] for n in (1, 2)]
    assert [len(page) for page in pages] == [25, 5]
    found = client.get(f"{address}?q=FAQ/7").context["paged"]
    assert [row.key for row in found] == ["faq/7"]
    assert "No key has" in text(client.get(f"{address}?q=nothing"))
    row = Document.objects.get(key="faq/7")
    shown = text(client.get(f"{address}{row.pk}/"))
    assert "&lt;b&gt;due&lt;/b&gt;" in shown
    assert "<b>due</b>" not in shown
    client.post(f"{address}{row.pk}/remove/")
    assert collections.documents(filled).count() == 29
    assert "before 2" in text(client.get(f"{address}{row.pk}/"))
    assert client.post(f"{address}{row.pk}/remove/").status_code == 404


def test_settings_are_changed_or_refused(as_role, handbook):
    client, address = as_role("engineering"), f"/collections/{handbook.pk}/settings/"
    form = {"strategy": "hybrid", "k": "8", "reranks": "1", "description": "New"}
    client.post(address, form)
    handbook.refresh_from_db()
    now = (handbook.strategy, handbook.k, handbook.reranks, handbook.description)
    assert now == ("hybrid", 8, True, "New")
    for wrong in ({"k": "0"}, {"k": "x"}, {"k": "9" * 30}, {"strategy": "best"}):
        assert "error" in {one.level_tag for one in get_messages(
            client.post(address, form | wrong).wsgi_request)}  # fmt: skip
    handbook.refresh_from_db()
    assert (handbook.strategy, handbook.k) == ("hybrid", 8)


def test_a_collection_is_deleted_by_typing_its_name(as_role, filled):
    client, address = as_role("lead"), f"/collections/{filled.pk}/delete/"
    assert "type handbook" in said(client.post(address, {"name": "hand"}))
    page = client.get(f"/collections/{filled.pk}/")
    assert (page.status_code, "keep the passages they were" in page.text) == (200, True)
    client.post(address, {"name": "handbook"})
    assert client.get(f"/collections/{filled.pk}/").status_code == 404
    assert not Document.objects.exists()


@pytest.mark.parametrize("part", ["documents/{document}/", "uploads/{upload}/cancel/"])
def test_what_is_in_another_collection_is_not_found(as_role, filled, demo, part):
    other = collections.create(demo, "handbook", embedder=ids.STATIC)
    numbers = {"document": Document.objects.first().pk, "upload": Upload.objects.get().pk}
    address = f"/collections/{other.pk}/{part.format(**numbers)}"
    client = as_role("lead")
    ask = client.post if "cancel" in part else client.get
    assert ask(address).status_code == 404


def test_a_project_lists_its_own_collections(as_role, handbook, demo):
    listed = f"/collections/{handbook.pk}/"
    client = as_role("lead")
    assert listed in text(client.get("/collections/"))
    assert listed not in text(client.get("/collections/?project=demo"))


def test_raters_have_no_way_there(as_role, filled):
    client = as_role("rater")
    assert "/collections/" not in client.get("/rate/").content.decode()
    assert client.get(f"/collections/{filled.pk}/").status_code == 403


def test_a_query_shows_what_each_strategy_finds(as_role, filled):
    indexes.shelf.refresh()
    client, address = as_role("product"), f"/collections/{filled.pk}/try/"
    assert "Search" in text(client.get(address))
    answer = client.post(address, {"query": "When is invoice 7 due?"})
    page = text(answer)
    assert [search.strategy for _, search, _ in answer.context["columns"]] == [
        "bm25", "dense", "hybrid",
    ]  # fmt: skip
    assert "<mark>Invoice</mark> " in page
    assert "&lt;b&gt;<mark>due</mark>&lt;/b&gt;." in page
    assert "Auto takes" in page


def test_a_query_of_nothing_or_of_an_empty_collection_says_what_to_do(as_role, handbook):
    client, address = as_role("product"), f"/collections/{handbook.pk}/try/"
    assert "1 to 4,000 characters" in text(client.post(address, {"query": " "}))
    assert "upload documents" in text(client.post(address, {"query": "x"}))
