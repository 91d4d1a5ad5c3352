import gzip
import json

import pytest

from routing.retrieval.judgements import Qrels

ROW = {"qid": "a<::>2", "query": "any awards", "qrels": {"d1": 2, "d2": 0}, "turn": 2}


def read(*rows, queries=None):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    return Qrels.read("\n".join(lines).encode(), queries)


def test_a_row():
    found = read(ROW | {"rewrite": "Did the series win awards?"}).queries[0]
    assert found.query == "Did the series win awards?"
    assert found.grades == {"d1": 2, "d2": 0}
    assert found.group == "a"
    assert found.kinds == ("question", "multi-turn")


def test_kind_of_the_file_is_the_only_one():
    assert read(ROW | {"kind": "legal"}).queries[0].kinds == ("legal",)


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("vat refund", ("keyword",)),
        ("error E-1042", ("keyword", "identifier")),
        ("how do I get one", ("question",)),
        ("tell it to me", ("question",)),
        ("the refund of a colleague", ()),
    ],
)
def test_kinds_by_words(query, kinds):
    assert read({"qid": "1", "query": query, "qrels": {"d": 1}}).queries[0].kinds == kinds


def test_gzip_and_the_same_text_have_one_digest(tmp_path):
    content = json.dumps(ROW).encode()
    place = tmp_path / "qrels.jsonl.gz"
    place.write_bytes(gzip.compress(content))
    assert Qrels.read(place) == Qrels.read(content)


def test_what_a_few_packed_bytes_unpack_to_is_bounded():
    with pytest.raises(ValueError, match="more than 1 MB, unpacked"):
        Qrels.read(gzip.compress(b" " * 50_000_000), most=1_000_000)


@pytest.mark.parametrize(
    "packed", [gzip.compress(b"{}" * 99, mtime=0)[:-12], b"\x1f\x8b\x08\0", b"\x1f\x8b?"]
)
def test_what_cannot_be_unpacked_is_said(packed):
    with pytest.raises(ValueError, match="cannot be unpacked"):
        Qrels.read(packed)


def test_trec():
    found = Qrels.read(b"1 0 d1 1\n1 0 d2 -1\n\n2 0 d3 0\n", b"1\twhat is vat\n2\twho\n3\tno\n")
    assert [(q.qid, q.query, q.grades) for q in found.queries] == [
        ("1", "what is vat", {"d1": 1, "d2": 0})
    ]
    assert found.left_out == 1


@pytest.mark.parametrize(
    ("qrels", "queries", "says"),
    [
        (b"1 0 d1 1\n1 d2", b"1\twho", "Line 2: judgements are"),
        (b"1 0 d1 1\n2 0 d1 1", b"1\twho", "1 judged queries have no text, such as '2'"),
    ],
)
def test_trec_that_is_not(qrels, queries, says):
    with pytest.raises(ValueError, match=says):
        Qrels.read(qrels, queries)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "Line 2: this is no JSON."),
        ("[1]", "Line 2: this is no JSON object."),
        ("[" * 100_000, "Line 2: this is no JSON."),
        ({"query": "x", "qrels": {}}, "Line 2: it has no qid."),
        ({"qid": "1", "query": " ", "qrels": {}}, "Line 2: it has no query."),
        ({"qid": "1", "query": "x", "qrels": ["d"]}, "Line 2: qrels are grades"),
        ({"qid": "1", "query": "x", "qrels": {"d": -1}}, "Line 2: qrels are grades"),
        ({"qid": "1", "query": "x", "qrels": {"d": "1"}}, "Line 2: qrels are grades"),
        (ROW, "Line 2: qid 'a<::>2' comes twice."),
    ],
)
def test_bad_lines_are_named(row, says):
    with pytest.raises(ValueError, match=says):
        read(ROW, row)


def test_many_bad_lines_are_counted():
    with pytest.raises(ValueError, match="Line 5: this is no JSON. And 3 more."):
        read(*["{"] * 8)


@pytest.mark.parametrize("rows", [(), ("", " ")])
def test_nothing_is_refused(rows):
    with pytest.raises(ValueError, match="no judged query"):
        read(*rows)


def test_nothing_relevant_is_refused():
    with pytest.raises(ValueError, match="No query in it has a relevant document"):
        read(ROW | {"qrels": {"d": 0}})


def test_binary_is_refused():
    with pytest.raises(ValueError, match="Line 2: this is no UTF-8"):
        Qrels.read(b"{}\n\xff\xfe")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"qrels": {"d1": 10**400}}, "whole numbers from 0 to 100"),
        ({"query": "\ud800"}, "no valid Unicode"),
        ({"kind": "a\0b"}, "a kind is a text"),
        ({"kind": "\ud800"}, "a kind is a text"),
        ({"kind": "k" * 61}, "a kind is a text"),
        ({"kind": {"a": 1}}, "a kind is a text"),
    ],
)
def test_what_could_not_be_counted_or_stored_is_refused(more, says):
    with pytest.raises(ValueError, match=f"Line 1: .*{says}"):
        read(ROW | more)
