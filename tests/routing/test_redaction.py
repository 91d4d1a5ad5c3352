"""What names a person or a secret is taken out, and little else."""

import json
import time
from collections import Counter

import pytest

from routing import redaction
from routing.redaction import Keeping
from routing.types import ChatRequest, Reply, Usage

KEEPING = Keeping(redaction.REDACTED, redaction.DEFAULT, b"k")


def left(text):
    counts = Counter()
    return KEEPING.text(text, counts), dict(counts)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("email", "ada.lovelace+bills@mail.example.co.uk"),
        ("email", "jürgen@müller.de"),
        ("phone", "+49 (0)30 901820-12"),
        ("phone", "+14155550132"),
        ("phone", "(415) 555-0132"),
        ("phone", "030/1234567"),
        ("card", "4111 1111 1111 1111"),
        ("card", "378282246310005"),
        ("card", "5555-5555-5555-4444"),
        ("key", "sk-ant-api03-abcdefghijklmnop"),
        ("key", "ghp_0123456789abcdefghij"),
        ("key", "AKIAIOSFODNN7EXAMPLE"),
        ("key", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
        ("key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
    ],
)
def test_what_names_somebody_or_opens_something_is_taken_out(kind, said):
    assert left(f"Take {said}, please.") == (f"Take [{kind}], please.", {kind: 1})


@pytest.mark.parametrize(
    "text",
    [
        "On 2026-11-28 at 10:30, version 3.14.159, page 1234.",
        "550e8400-e29b-41d4-a716-446655440000",
        "The order is 4111 1111 1111 1112.",  # no card: its check digit is another
        "0000 0000 0000 0000",
        "x = a@b, y = 1_000_000_000; 0.5772156649 and 1024 * 1024",
        "from 10 000 000 to 99 999",
    ],
)
def test_what_only_looks_like_it_stays(text):
    assert left(text) == (text, {})


def test_the_whole_of_a_body_is_looked_through_and_media_go_whole():
    picture = {"type": "image", "source": {"type": "base64", "data": "aGVsbG8="}}
    call = {"name": "f", "arguments": '{"to": "a@b.org"}'}
    said = {"content": [{"text": "a@b.org"}, picture, call, "data:image/png;base64,aGk="], "n": 1}
    counts = Counter()
    kept = KEEPING.json(said, counts)
    assert "a@b.org" not in json.dumps(kept)
    assert "aGVsbG8=" not in json.dumps(kept)
    assert "aGk=" not in json.dumps(kept)
    assert counts == {"email": 2, "media": 2}


def test_half_a_character_in_an_answer_costs_that_character_and_no_record():
    reply = Reply(b'{"text": "a@b.org \\ud83d"}', "a@b.org \ud83d", "m", "", Usage(), 1)
    kept, taken = redaction.answered(reply, KEEPING)
    assert (kept.text, taken) == ("[email] \ufffd", {"email": 1})


def test_numbers_of_a_body_as_large_as_may_come_take_a_bounded_time():
    text = "12345 67890 1234 555-01 " * 2000
    start = time.process_time()
    assert left(f"{text} 4111 1111 1111 1111")[1]["card"] >= 1
    assert time.process_time() - start < 2


def test_a_text_on_which_a_redactor_fails_goes_whole_and_nobody_is_asked_or_rates_the_rest():
    def fails(text):
        raise RuntimeError(text)

    counts = Counter()
    keeping = Keeping(redaction.REDACTED, (fails,), b"k")
    assert keeping.text("secret", counts) == "[unseen]"
    assert counts == {redaction.UNSEEN: 1}


def test_a_pattern_that_is_none_or_finds_everything_is_refused():
    for wrong in ("(", "x*", "(?=a)"):
        with pytest.raises(ValueError, match="pattern"):
            redaction.pattern("own", wrong)
    own = redaction.pattern("order", r"ORD-\d+")
    assert own("see ORD-77") == ("see [order]", {"order": 1})


def test_a_hostile_pattern_takes_no_longer_than_the_text_is_long():
    redact = redaction.pattern("own", r"(a+)+b")
    assert redact("a" * 50_000)[1] == {}


@pytest.mark.parametrize(
    ("payload", "metadata", "named"),
    [
        ({"metadata": {"user_id": "u"}}, {}, "u"),
        ({"user": "u"}, {}, "u"),
        ({"safety_identifier": "u"}, {}, "u"),
        ({}, {"user_id": "u"}, "u"),
        ({"metadata": {"user_id": 7}, "user": ""}, {}, ""),
    ],
)
def test_the_end_user_is_found_where_each_api_has_it_and_goes(payload, metadata, named):
    request = ChatRequest({"messages": [], **payload}, "q", "auto", metadata=metadata)
    assert redaction.user_of(request) == named
    kept, taken = redaction.asked(request, KEEPING)
    assert '"u"' not in json.dumps([kept.payload, kept.metadata])
    assert taken == {}  # nothing of what the model is asked


def test_where_nothing_is_kept_a_hash_stands_for_a_body_and_texts_are_empty():
    keeping = Keeping(redaction.NOTHING, (), b"k")
    request = ChatRequest(
        {"messages": [{"role": "user", "content": "secret"}]}, "secret", "auto",
        metadata={"a": "secret"}, session="secret", url_query="secret", raw=b"secret",
    )  # fmt: skip
    kept, taken = redaction.asked(request, keeping)
    reply, _ = redaction.answered(Reply(b'{"a": "secret"}', "secret", "m", "", Usage(), 1), keeping)
    assert "secret" not in repr((kept, reply))
    assert taken == {"everything": 1}
    assert kept.payload == keeping.digest(b"secret") != Keeping("", (), b"l").digest(b"secret")
