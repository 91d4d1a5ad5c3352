"""Collections by key: made, filled, read, searched and deleted, and what is refused."""

import json

import httpx2 as httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from routing import access, collections, indexes, indexing, trying
from routing.embedders.ids import STATIC
from routing.models import Collection, Document, Upload
from routing.retrieval import confidence
from tests.routing.api.test_errors import problem

pytestmark = pytest.mark.django_db

LINES = "\n".join(
    json.dumps({"id": f"faq/{n}.md", "title": f"Title {n}", "text": f"Invoice {n} is due."})
    for n in range(3)
).encode()


@pytest.fixture
def handbook(call):
    """An empty collection, made by key; static vectors are quick."""
    reply = call.post("/collections", {"name": "handbook", "embedder": STATIC})
    assert reply.status_code == 201, reply.content
    return Collection.objects.get()


@pytest.fixture
def send(api_key):
    """Send a file, as a form or as the body."""

    def send(content, name="faq.jsonl", as_form=True, query="", **form):
        address = f"/api/v1/collections/handbook/uploads{query}"
        client, headers = Client(raise_request_exception=False), {"x-api-key": api_key}
        if as_form:
            return client.post(
                address, {"file": SimpleUploadedFile(name, content), **form}, headers=headers
            )
        return client.post(address, content, "application/octet-stream", headers=headers)

    return send


@pytest.fixture
def filled(handbook, send):
    """The collection with three documents that can be searched."""
    indexing.work(send(LINES).json()["id"])
    return handbook


def test_one_is_made_listed_read_changed_and_deleted(call, handbook):
    assert [one["name"] for one in call.get("/collections").json()["items"]] == ["handbook"]
    read = call.get("/collections/handbook").json()
    assert (read["strategy"], read["k"], read["version"]) == ("auto", 5, None)
    changed = call.any("PATCH", "/collections/handbook", {"strategy": "bm25", "k": 7}).json()
    assert (changed["strategy"], changed["k"], changed["reranks"]) == ("bm25", 7, False)
    assert call.any("DELETE", "/collections/handbook").status_code == 200
    assert call.get("/collections").json() == {"items": []}
    assert "deleted" in problem(call.get("/collections/handbook"), 404)["detail"]


def test_a_name_is_given_once_until_its_collection_is_deleted(call, handbook):
    assert "handbook" in problem(call.post("/collections", {"name": "handbook"}), 409)["detail"]
    call.any("DELETE", "/collections/handbook")
    assert call.post("/collections", {"name": "handbook"}).status_code == 201


@pytest.mark.parametrize("as_form", [True, False])
def test_a_file_becomes_documents_of_a_version(call, handbook, send, as_form):
    reply = send(LINES, as_form=as_form, query="" if as_form else "?name=faq.jsonl")
    assert reply.status_code == 202, reply.content
    sent = reply.json()
    assert (sent["state"], sent["kind"], sent["size"]) == ("waiting", "jsonl", len(LINES))
    assert call.get("/collections/handbook").json()["uploads_under_way"] == 1
    indexing.work(sent["id"])
    done = call.get(f"/collections/handbook/uploads/{sent['id']}").json()
    assert (done["state"], done["documents"], done["version"]) == ("done", 3, 1)
    assert done["embedded"] == done["chunks"] > 0
    held = call.get("/collections/handbook").json()
    assert (held["version"]["documents"], held["uploads_under_way"]) == (3, 0)
    assert [row["number"] for row in _versions(call)] == [1]


def _versions(call):
    return call.get("/collections/handbook/versions").json()["items"]


@pytest.mark.parametrize("query", ["", "?replaces_all=true"])
def test_a_file_may_replace_everything(call, filled, send, query):
    form = {} if query else {"replaces_all": "true"}
    indexing.work(send(b"Only this.", "one.md", query=query, **form).json()["id"])
    assert [row["key"] for row in _documents(call)] == ["one.md"]


def _documents(call, query=""):
    return call.get(f"/collections/handbook/documents{query}").json()["items"]


def test_documents_come_page_by_page_and_are_put_and_deleted(call, filled):
    first = call.get("/collections/handbook/documents?limit=2").json()
    second = call.get(
        f"/collections/handbook/documents?limit=2&cursor={first['next_cursor']}"
    ).json()
    keys = [row["key"] for row in first["items"] + second["items"]]
    assert (keys, second["next_cursor"]) == (["faq/0.md", "faq/1.md", "faq/2.md"], None)
    address = "/collections/handbook/documents/faq/1.md"
    put = call.any("PUT", address, {"text": "It is due on the 5th.", "metadata": {"by": "ada"}})
    assert put.status_code == 202
    indexing.work(put.json()["id"])
    read = call.get(address).json()
    assert (read["text"], read["metadata"]) == ("It is due on the 5th.", {"by": "ada"})
    assert call.any("DELETE", address).json()["documents"] == 2
    problem(call.get(address), 404)
    problem(call.any("DELETE", address), 404)
    page = call.get("/collections/handbook/versions?limit=2").json()
    rest = call.get(f"/collections/handbook/versions?cursor={page['next_cursor']}").json()
    assert [row["number"] for row in page["items"] + rest["items"]] == [3, 2, 1]


def test_an_upload_is_cancelled_once(call, handbook, send):
    address = f"/collections/handbook/uploads/{send(LINES).json()['id']}"
    assert call.any("DELETE", address).json()["state"] == "cancelled"
    assert "ended" in problem(call.any("DELETE", address), 409)["detail"]


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "a.md"), (b"\0\1\2" * 50, "a.md"), (b"text", "a.exe"), (b"text", "")],
)
def test_a_file_that_cannot_be_taken_is_400_with_a_sentence(handbook, send, content, name):
    query = f"?name={name}"
    assert problem(send(content, as_form=False, query=query), 400)["detail"].endswith(".")
    assert not Upload.objects.exists()


def test_a_file_over_the_limit_is_413_naming_it(handbook, send, settings):
    settings.SHADOWEVAL_UPLOAD_MAX_BYTES = 1_000_000
    large = b"x" * 1_000_001
    for reply in (
        send(large),
        send(large, as_form=False, query="?name=a.md"),
        send(large * 3),
        send(large * 3, as_form=False, query="?name=a.md"),
    ):
        assert "larger than 1 MB" in problem(reply, 413)["detail"]


def test_fifty_megabytes_are_refused_by_their_length_alone(handbook, api_key):
    class Unread:
        def read(self, size=None):
            raise AssertionError("the body was read")

        readline = read

    reply = Client().generic(
        "POST", "/api/v1/collections/handbook/uploads?name=a.md", b"",
        headers={"x-api-key": api_key}, content_type="application/octet-stream",
        **{"CONTENT_LENGTH": "50000000", "wsgi.input": Unread()},
    )  # fmt: skip
    problem(reply, 413)


def test_a_file_that_does_not_tell_its_length_is_read_up_to_the_limit(
    service, api_key, project, settings
):
    settings.SHADOWEVAL_UPLOAD_MAX_BYTES = 1_000_000
    collections.create(project, "handbook", embedder=STATIC)
    reply = httpx.post(
        f"{service}/api/v1/collections/handbook/uploads?name=a.md",
        content=iter([b"x" * 600_000] * 5), headers={"x-api-key": api_key}, timeout=30,
    )  # fmt: skip
    assert "larger than 1 MB" in problem(reply, 413)["detail"]
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"nothing", "multipart/form-data"),
        (b"nothing", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\n", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=\xff"),
        (b"a=b", "application/x-www-form-urlencoded"),
        (b"", "text/plain"),
    ],
)
def test_a_form_that_cannot_be_read_is_400(handbook, api_key, body, kind):
    reply = Client(raise_request_exception=False).post(
        "/api/v1/collections/handbook/uploads", body, kind, headers={"x-api-key": api_key}
    )
    problem(reply, 400)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/collections", {"name": "a b"}),
        ("POST", "/collections", {"name": "x" * 61}),
        ("POST", "/collections", {"name": "a", "embedder": "nobodys"}),
        ("POST", "/collections", {"name": "a", "k": 0}),
        ("POST", "/collections", {"name": "a", "strategy": "best"}),
        ("PATCH", "/collections/handbook", {"k": 10**20}),
        ("PATCH", "/collections/handbook", {"name": "other"}),
        ("PUT", "/collections/handbook/documents/a", {"text": ""}),
        ("PUT", "/collections/handbook/documents/a", {"text": "a\0b"}),
        (
            "PUT",
            "/collections/handbook/documents/a",
            {"text": "a", "metadata": {"a": "x" * 20_000}},
        ),
        ("PUT", "/collections/handbook/documents/a%00", {"text": "a"}),
        ("PUT", "/collections/handbook/documents/a%09", {"text": "a"}),
        ("PUT", "/collections/handbook/documents/%20a", {"text": "a"}),
        ("PUT", "/collections/handbook/documents/" + "a" * 301, {"text": "a"}),
        ("GET", "/collections/handbook/documents?cursor=%00", None),
        ("GET", "/collections/handbook/documents?cursor=AA==", None),
        ("GET", "/collections/handbook/versions?cursor=x", None),
        ("GET", "/collections/handbook/uploads/" + "9" * 30, None),
        ("GET", "/collections/%00", None),
    ],
)
def test_what_does_not_fit_is_400(call, handbook, method, path, body):
    problem(call.any(method, path, body), 400)
    assert not Document.objects.exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/versions"), ("GET", "/documents"),
        ("POST", "/uploads?name=a.md"), ("GET", "/documents/faq/0.md"),
        ("PUT", "/documents/faq/0.md"), ("DELETE", "/documents/faq/0.md"), ("GET", "/uploads/{id}"),
        ("DELETE", "/uploads/{id}"),
    ],
)  # fmt: skip
def test_another_project_finds_nothing(call, filled, other_project, method, path):
    theirs = access.create_key(other_project, "theirs")[0]
    path = path.format(id=Upload.objects.get().pk)
    body = {"text": "mine"} if method == "PUT" else {}
    problem(call.any(method, f"/collections/handbook{path}", body, key=theirs), 404)
    collections.create(other_project, "handbook", embedder=STATIC)
    if "{id}" in path or "/documents/" in path and method != "PUT":
        problem(call.any(method, f"/collections/handbook{path}", body, key=theirs), 404)
    assert filled.documents.count() == 3


@pytest.fixture
def opened(filled):
    """The collection as requests search it."""
    indexes.shelf.refresh()
    return filled


@pytest.mark.parametrize("strategy", ["bm25", "dense", "hybrid", "auto", None])
def test_a_query_shows_what_would_be_found(call, opened, strategy):
    asked = {"query": "When is invoice 2 due?", "k": 2} | (
        {"strategy": strategy} if strategy else {}
    )
    reply = call.post("/collections/handbook/search", asked)
    assert reply.status_code == 200, reply.content
    found = reply.json()
    assert [one["n"] for one in found["sources"]] == [1, 2]
    assert found["sources"][0]["document"].startswith("faq/")
    assert found["strategy"] in ({strategy} if strategy in ("bm25", "dense", "hybrid") else
                                 {"bm25", "dense", "hybrid"})  # fmt: skip
    assert (found["chooser"] == "asked") == (strategy in ("bm25", "dense", "hybrid"))
    assert 0 <= found["confidence"] <= 1
    assert found["version"] == 1


def test_a_tried_query_is_judged_by_the_collections_embedder(opened):
    found = trying.look(trying.opened(Collection.objects.get()), "When is it due?", "dense", 2)
    assert found.search.confidence == confidence.of(found.search.signals, STATIC)


def test_a_query_of_no_known_word_finds_nothing_by_words(call, opened):
    reply = call.post(
        "/collections/handbook/search", {"query": "Zebra 🦓 斑马", "strategy": "bm25"}
    )
    assert (reply.status_code, reply.json()["sources"]) == (200, [])


def test_a_search_of_an_empty_collection_says_what_to_do(call, handbook):
    said = problem(call.post("/collections/handbook/search", {"query": "x"}), 409)["detail"]
    assert "upload documents" in said


def test_a_collection_that_is_not_loaded_yet_is_503(call, filled):
    problem(call.post("/collections/handbook/search", {"query": "x"}), 503)


def test_a_search_of_nothing_or_of_no_collection_is_refused(call, opened):
    problem(call.post("/collections/handbook/search", {"query": ""}), 400)
    problem(call.post("/collections/nobodys/search", {"query": "x"}), 404)
    call.any("DELETE", "/collections/handbook")
    indexes.shelf.refresh()
    said = problem(call.post("/collections/handbook/search", {"query": "x"}), 404)["detail"]
    assert "deleted" in said


def test_a_collection_may_have_its_sources_ranked_once_more(call, handbook, send):
    rows = [
        {"id": "apart", "text": "Invoices parcels. Late labels due."},
        {"id": "together", "text": "Parcels late labels. Invoices due."},
    ]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    indexing.work(send(lines).json()["id"])

    def order(reranks):
        call.any("PATCH", "/collections/handbook", {"reranks": reranks})
        indexes.shelf.refresh()
        asked = {"query": "Invoices due", "strategy": "bm25"}
        found = call.post("/collections/handbook/search", asked).json()["sources"]
        return [one["document"] for one in found]

    assert order(False) == ["apart", "together"]  # the same words
    assert order(True) == ["together", "apart"]
