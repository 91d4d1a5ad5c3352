"""What a request says of its documents: native fields, metadata, and what is refused."""

import json

import pytest

from routing.errors import InvalidRequest
from routing.types import Source
from routing.wire import anthropic, native, openai

HI = [{"role": "user", "content": "When is it due?"}]


def claude(metadata, **more):
    body = {"model": "auto", "max_tokens": 5, "messages": HI, "metadata": metadata, **more}
    return anthropic.parse(json.dumps(body).encode(), {})


def gpt(metadata):
    body = {"model": "auto", "messages": HI, "metadata": metadata, "store": False}
    return openai.parse(json.dumps(body).encode(), {})


def route(**fields):
    return native.parse(json.dumps({"query": "When is it due?", **fields}).encode(), {})


@pytest.mark.parametrize("parse", [claude, gpt])
def test_metadata_names_a_collection_and_no_provider_sees_it(parse):
    said = {
        "collection": "faq",
        "strategy": "dense",
        "k": "3",
        "search_query": " due date ",
        "a": "b",
    }
    got = parse(said)
    assert (got.collection, got.strategy, got.k, got.search_query) == (
        "faq",
        "dense",
        3,
        "due date",
    )
    assert got.payload["metadata"] == {"a": "b"}
    assert got.metadata == said  # the ledger keeps what was sent
    assert got.raw == b""
    assert got.length > 0


def test_metadata_that_holds_nothing_else_goes():
    assert "metadata" not in claude({"collection": "faq"}).payload


@pytest.mark.parametrize(
    "metadata", [{"user_id": "u"}, {"strategy": "mine", "k": "x"}, {"collection": None}, {}, None]
)
@pytest.mark.parametrize("parse", [claude, gpt])
def test_without_a_collection_everything_stays(parse, metadata):
    got = parse(metadata)
    assert (got.collection, got.strategy, got.k) == ("", "", None)
    assert json.loads(got.raw)["metadata"] == metadata == got.payload["metadata"]


WRONG = [
    {"collection": ""}, {"collection": 5}, {"collection": "x" * 61},
    {"collection": "a", "strategy": "best"}, {"collection": "a", "strategy": ""},
    {"collection": "a", "k": 0}, {"collection": "a", "k": 21}, {"collection": "a", "k": True},
    {"collection": "a", "search_query": 5}, {"collection": "a", "search_query": "x" * 2001},
]  # fmt: skip


@pytest.mark.parametrize("said", WRONG)
def test_what_cannot_be_is_refused_by_its_field(said):
    name = list(said)[-1]
    with pytest.raises(InvalidRequest, match=rf"^metadata\.{name}: must be"):
        claude(said)
    with pytest.raises(InvalidRequest, match=rf"^{name}: must be"):
        route(**said)


def test_context_may_be_texts_or_objects():
    more = {"text": "Two.", "title": "T", "id": "doc-2", "score": 3}
    got = route(context=["One.", more, {"text": "Three", "title": None, "score": None}])
    assert got.context == (
        Source(1, "One."), Source(2, "Two.", "doc-2", "T", 3.0), Source(3, "Three"),
    )  # fmt: skip
    assert got.payload["messages"] == HI


@pytest.mark.parametrize(
    ("context", "where"),
    [
        ("text", "context:"), ([5], "context.0:"), ([{}], "context.0.text"),
        (["a", {"text": 1}], "context.1.text"), ([{"text": "a", "title": 5}], "context.0.title"),
        ([{"text": "a", "id": 5}], "context.0.id"), ([{"text": "a", "score": "x"}], "0.score"),
        ([{"text": "a", "score": True}], "context.0.score"), ([{"text": "a", "x": 1}], "context.0"),
        (["a"] * 101, "at most 100"),
    ],
)  # fmt: skip
def test_context_that_cannot_be_is_refused(context, where):
    with pytest.raises(InvalidRequest, match=where):
        route(context=context)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"collection": "a", "context": ["b"]}, "not both"),
        ({"strategy": "bm25"}, "send collection too"),
        ({"k": 3, "context": ["b"]}, "send collection too"),
    ],
)
def test_what_contradicts_itself_is_refused(fields, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        route(**fields)


def test_a_clients_own_query_may_go_with_its_context():
    assert route(context=["a"], search_query="q").search_query == "q"
