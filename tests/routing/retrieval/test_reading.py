"""Files as documents, and what is said of those that are none."""

import io
import json
import time

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from routing.retrieval import pdf as pdf_text
from routing.retrieval import reading


def lines(*rows):
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()


def read(kind, content, name="file"):
    return reading.read(kind, name, content)


def pdf(*pages, password="", title=""):
    """Return a PDF with a line of text on each page; None is a page without."""
    writer = PdfWriter()
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    fonts = DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()})
    for text in pages:
        page = writer.add_blank_page(300, 300)
        if text is not None:
            stream = DecodedStreamObject()
            stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
            page[NameObject("/Contents")] = writer._add_object(stream)
            named = DictionaryObject({NameObject("/F1"): fonts})
            page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): named})
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_json_lines_are_documents():
    row = {"id": "a", "text": "Cats\npurr.", "title": "Cats", "metadata": {"page": 3}}
    found = read("jsonl", lines(row, "", {"doc_id": 7, "text": "x"}, {"key": "k", "text": "y"}))
    assert found.documents[0] == reading.Item("a", "Cats", "Cats\npurr.", {"page": 3}, "line 1")
    assert [item.key for item in found.documents] == ["a", "7", "k"]
    assert found.documents[1].where == "line 3"
    assert not found.refused


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("no json", "It is no JSON."),
        ("[" * 100_000, "It is no JSON."),
        ('{"id": "b", "text": NaN}', "It is no JSON."),
        ("[1]", "It is no JSON object."),
        ({"text": "x"}, "It has no key: a text or number under one of id, doc_id, key, _id."),
        ({"id": True, "text": "x"}, "It has no key"),
        ({"id": " ", "text": "x"}, "A key has 1 to 300 characters."),
        ({"id": "k" * 301, "text": "x"}, "A key has 1 to 300 characters."),
        ({"id": "..", "text": "x"}, "A key has no part “..”"),
        ({"id": "a/../..", "text": "x"}, "A key has no part “..”"),
        ({"id": "b"}, "Its text, and its title if it has one, must be strings."),
        ({"id": "b", "text": 1}, "Its text, and its title if it has one, must be strings."),
        ({"id": "b", "text": " \n"}, "It has no text."),
        ({"id": "b", "text": "\0"}, "It has no text."),
        ({"id": "a", "text": "x"}, "Its key stands in line 1 already."),
        ({"id": "b", "text": "x" * 2_000_001}, "It has 2,000,001 characters"),
        ({"id": "b", "text": "x", "metadata": [1]}, "Metadata is an object of at most"),
        ({"id": "b", "text": "x", "metadata": {"a": "x" * 10_000}}, "Metadata is an object"),
        ('{"id": "b", "text": "x", "metadata": {"a": 1e999}}', "Its metadata cannot be stored."),
    ],
)
def test_a_line_that_is_no_document_is_refused_and_the_others_are_read(row, why):
    found = read("jsonl", lines({"id": "a", "text": "x"}, row, {"id": "z", "text": "x"}))
    assert [item.key for item in found.documents] == ["a", "z"]
    (refused,) = found.refused
    assert refused.where == "line 2"
    assert refused.why.startswith(why)


def test_no_reason_quotes_what_was_written():
    found = read("jsonl", lines("secret text", {"id": "a", "secret": "secret text"}))
    assert "secret text" not in " ".join(one.why for one in found.refused)


def test_what_cannot_be_stored_gets_a_mark():
    row = {
        "id": "a\0",
        "text": "a\0b\ud800c",
        "title": "t\0",
        "metadata": {"k\0": "v\ud800\\u0000"},
    }
    (item,) = read("jsonl", lines(row)).documents
    assert (item.key, item.text, item.title) == ("a�", "a�b�c", "t�")
    assert item.metadata == {"k�": "v�\\u0000"}


def test_line_separators_inside_strings_end_no_line():
    content = '{"id": "a", "text": "one\u2028two\x85"}\r\n{"id": "b", "text": "x"}\r\n'.encode()
    assert [item.key for item in read("jsonl", content).documents] == ["a", "b"]


def test_markdown_has_its_first_heading_as_title():
    (item,) = read("markdown", b"Preface\n\n## All *about* cats ##\n\nThey purr.", "x.md").documents
    assert (item.key, item.title) == ("x.md", "All *about* cats")
    (item,) = read("markdown", b"no heading", "x.md").documents
    assert item.title == ""


def test_finding_a_heading_takes_no_time():
    start = time.perf_counter()
    read("markdown", b"# " + b"a" + b" " * 200_000 + b"#" * 200_000 + b"x")
    read("markdown", b"# #" + b" \t" * 200_000)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_as_it_says(coding):
    (item,) = read("text", "Käse".encode(coding)).documents
    assert item.text == "Käse"


@pytest.mark.parametrize(
    ("kind", "content", "why"),
    [
        ("text", b"", "“file” is empty."),
        ("jsonl", b" \n", "“file” is empty."),
        ("text", b"\xef\xbb\xbf", "“file” is empty."),
        ("text", b"\x89PNG\r\n\x1a\n\0", "“file” is no text in UTF-8"),
        ("text", "Käse".encode("latin-1"), "“file” is no text in UTF-8"),
        ("text", b"abc\0def", "“file” is binary: it holds zero bytes."),
        ("pdf", b"plain text", "“file” is no PDF."),
        ("pdf", b"%PDF-1.7\nnothing", "The PDF is damaged."),
        ("pdf", pdf("Cats purr.")[:400], "The PDF is damaged."),
        ("pdf", pdf("Cats purr.", password="x"), "The PDF is encrypted"),
        ("pdf", pdf(None, None), "The PDF has no text: it may be made of pictures."),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(kind, content, why):
    with pytest.raises(ValueError) as raised:
        read(kind, content)
    assert str(raised.value).startswith(why)


def nested(depth):
    """Return a PDF whose one page lies so many folders deep."""
    folders = [b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % (n + 3) for n in range(depth)]
    page = b"<</Type/Page/MediaBox[0 0 9 9]>>"
    objects = enumerate([b"<</Type/Catalog/Pages 2 0 R>>", *folders, page], 1)
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % each for each in objects)
    return b"%PDF-1.7\n" + body + b"trailer\n<</Root 1 0 R>>\nstartxref\n0\n%%EOF"


def test_a_pdf_made_to_be_too_much_is_not_said_to_be_damaged():
    with pytest.raises(ValueError, match="takes too long to read, or too much memory"):
        pdf_text._extracted(nested(200))
    with pytest.raises(ValueError, match="has no text"):
        pdf_text._extracted(nested(2))


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_a_pdf_that_opens_without_a_password_is_read(algorithm):
    writer = PdfWriter(clone_from=io.BytesIO(pdf("Cats purr.")))
    writer.encrypt("", "owner", algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    assert pdf_text._extracted(out.getvalue()).text == "Cats purr."


def test_a_pdf_that_is_not_read_in_time_may_be_read_later(monkeypatch):
    monkeypatch.setattr(pdf_text, "_WAIT_S", 0)
    with pytest.raises(pdf_text.Unfinished, match="try again when the machine is less busy"):
        read("pdf", pdf("Cats purr."))


def test_a_pdf_is_one_document():
    (item,) = read("pdf", pdf("Cats purr.", "Dogs bark.", title="Pets"), "pets.pdf").documents
    assert item == ("pets.pdf", "Pets", "Cats purr.\n\nDogs bark.", {"pages": 2}, "pets.pdf")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.JSONL", "jsonl"), ("a.md", "markdown"), ("a.b.txt", "text"), ("a.pdf", "pdf"), ("a", "")],
)
def test_endings_tell_kinds(name, kind):
    assert reading.kind_of(name) == kind


def test_a_name_is_its_last_part():
    assert reading.file_name("C:\\docs\\a\nb.md") == "ab.md"
    assert reading.file_name("../../etc/passwd") == "passwd"
    assert reading.file_name("/") == "upload"
    assert reading.file_name("x" * 300 + ".md").endswith("x.md")
