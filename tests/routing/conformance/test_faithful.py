"""Where client and provider speak the same API, bytes pass through the service unchanged.

The two exceptions: the value of the top-level model, and the usage of a Chat Completions stream
that the service asks for when the client does not.
"""

import json
import re

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.routing.conformance import exchanges

WIRES = ("anthropic", "openai")
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}
SSE = "text/event-stream; charset=utf-8"
REPLIES = {"anthropic": exchanges.ANTHROPIC_REPLIES, "openai": exchanges.OPENAI_REPLIES}
STREAMS = {"anthropic": exchanges.ANTHROPIC_STREAMS, "openai": exchanges.OPENAI_STREAMS}
REQUESTS = {"anthropic": exchanges.ANTHROPIC_REQUESTS, "openai": exchanges.OPENAI_REQUESTS}


def cases(tables):
    return [
        pytest.param(wire, name, id=f"{wire}-{name}") for wire in WIRES for name in tables[wire]
    ]


def filled(template, model):
    return template.replace(exchanges.MODEL, json.dumps(model).encode())


@pytest.fixture
def send(service, api_key):
    """Return a function that posts bytes as a client of one API would."""
    with httpx.Client(base_url=service, timeout=20) as client:

        def post(wire, body, path="", **more):
            headers = {"content-type": "application/json"} | more
            if wire == "anthropic":
                headers |= {"x-api-key": api_key, "anthropic-version": "2023-06-01"}
            else:
                headers["authorization"] = f"Bearer {api_key}"
            return client.post(path or PATHS[wire], content=body, headers=headers)

        yield post


@pytest.fixture
def straight(point):
    """Return a function that points both tiers at a provider of one kind."""
    return lambda wire: point(cheap=f"{wire}:small", expensive=f"{wire}:large")


def streaming(wire, counted=True):
    """Return a request for a stream, its model still open."""
    body = {"model": "@MODEL@", "max_tokens": 9, "stream": True}
    body["messages"] = [{"role": "user", "content": "hi"}]
    if wire == "openai" and counted:
        body["stream_options"] = {"include_usage": True}
    return exchanges.request_bytes(body)


@pytest.mark.parametrize(("wire", "name"), cases(REQUESTS))
def test_a_request_keeps_every_byte_but_the_model(send, straight, provider, wire, name):
    straight(wire)
    template = REQUESTS[wire][name]
    body = next(iter(REPLIES[wire].values()))
    provider.play(body)
    reply = send(wire, filled(template, "auto"))
    assert (reply.status_code, reply.content) == (200, body)
    assert provider.last.body == filled(template, "large")
    assert provider.last.path == PATHS[wire]


def test_a_model_written_with_escapes_is_replaced_too(send, straight, provider):
    straight("anthropic")
    template = exchanges.ANTHROPIC_REQUESTS["plain"]
    assert send("anthropic", template.replace(b"@MODEL@", rb'"\u0061uto"')).status_code == 200
    assert provider.last.body == filled(template, "large")


def test_a_model_asked_for_by_name_changes_nothing_at_all(send, straight, provider):
    straight("openai")
    body = filled(exchanges.OPENAI_REQUESTS["other models inside"], "small")
    assert send("openai", body).status_code == 200
    assert provider.last.body == body


def test_a_request_to_count_tokens_keeps_every_byte_but_the_model(send, straight, provider):
    straight("anthropic")
    template = exchanges.ANTHROPIC_REQUESTS["tools and thinking"]
    provider.play(b' {"input_tokens" : 42 ,"new": 1.0}\n')
    reply = send("anthropic", filled(template, "auto"), "/v1/messages/count_tokens?beta=true")
    assert (reply.status_code, reply.content) == (200, b' {"input_tokens" : 42 ,"new": 1.0}\n')
    assert provider.last.body == filled(template, "large")
    assert provider.last.path == "/v1/messages/count_tokens?beta=true"


@pytest.mark.parametrize(("wire", "name"), cases(REPLIES))
def test_a_reply_keeps_every_byte(send, straight, provider, wire, name):
    straight(wire)
    body = REPLIES[wire][name]
    provider.play(body)
    reply = send(wire, filled(REQUESTS[wire]["plain"], "auto"))
    assert (reply.status_code, reply.content) == (200, body)
    assert reply.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_of_the_provider_keeps_every_byte(send, straight, provider, wire, streamed):
    straight(wire)
    error = {"type": "invalid_request_error", "message": "Größe \u2713", "new": 1.0}
    body = json.dumps({"type": "error", "error": error}, indent=3, ensure_ascii=False).encode()
    provider.play(body, status=422, headers={"request-id": "req_9"})
    template = streaming(wire) if streamed else REQUESTS[wire]["plain"]
    reply = send(wire, filled(template, "auto"))
    assert (reply.status_code, reply.content) == (422, body)


@pytest.mark.parametrize(("wire", "name"), cases(STREAMS))
def test_a_stream_keeps_every_byte(send, straight, provider, wire, name):
    straight(wire)
    events = STREAMS[wire][name]
    provider.play(events, SSE)
    template = streaming(wire)
    reply = send(wire, filled(template, "auto"))
    assert reply.status_code == 200
    assert reply.content == b"".join(events)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert provider.last.body == filled(template, "large")


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_stream_in_small_pieces_keeps_every_byte(send, straight, provider, wire, size):
    straight(wire)
    whole = b"".join(STREAMS[wire]["text"])
    provider.play([whole[at : at + size] for at in range(0, len(whole), size)], SSE)
    assert send(wire, filled(streaming(wire), "auto")).content == whole


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("streamed", [False, True])
def test_headers_of_the_provider_arrive_but_those_of_its_connection(
    send, straight, provider, wire, streamed
):
    straight(wire)
    kept = {
        "request-id": "req_011",
        "x-request-id": "req_012",
        "anthropic-organization-id": "org-1",
        "anthropic-ratelimit-tokens-remaining": "79000",
        "x-ratelimit-reset-requests": "1s",
        "openai-processing-ms": "5",
        "x-new-header": "a, b",
    }
    dropped = {"keep-alive": "timeout=5", "proxy-authenticate": "Basic", "trailer": "x"}
    body = STREAMS[wire]["text"] if streamed else REPLIES[wire]["odd bytes"]
    provider.play(body, SSE if streamed else "application/json", headers=kept | dropped)
    template = streaming(wire) if streamed else REQUESTS[wire]["plain"]
    reply = send(wire, filled(template, "auto"))
    assert {name: reply.headers.get(name) for name in kept} == kept
    assert not set(dropped) & set(reply.headers)
    assert reply.headers["x-shadoweval-tier"] == "expensive"
    assert len(reply.headers.get_list("date")) <= 1


# --- the usage that the service asks for itself


def parsed(stream):
    """Return the data of each event, JSON where it is JSON."""
    data = re.findall(rb"^data: ?(.*?)\r?$", stream, re.MULTILINE)
    return [one if one == b"[DONE]" else json.loads(one) for one in data]


def without_usage(events):
    """Return what a client gets that did not ask for usage."""
    chunks = parsed(b"".join(events))
    kept = [one for one in chunks if one == b"[DONE]" or one.get("choices") or "error" in one]
    return [
        one if one == b"[DONE]" else {key: one[key] for key in one if key != "usage"}
        for one in kept
    ]


@pytest.mark.parametrize("name", exchanges.OPENAI_STREAMS)
def test_usage_that_the_client_did_not_ask_for_is_taken_out(send, straight, provider, name):
    straight("openai")
    events = exchanges.OPENAI_STREAMS[name]
    provider.play(events, SSE)
    template = streaming("openai", counted=False)
    reply = send("openai", filled(template, "auto"))
    assert parsed(reply.content) == without_usage(events)
    wanted = json.loads(filled(template, "large")) | {"stream_options": {"include_usage": True}}
    assert provider.last.json == wanted


@pytest.mark.parametrize(
    "given", [{"include_usage": False}, {"include_obfuscation": False}, {}, None]
)
def test_other_options_of_a_stream_are_kept(send, straight, provider, given):
    straight("openai")
    body = json.loads(filled(streaming("openai"), "auto")) | {"stream_options": given}
    reply = send("openai", json.dumps(body).encode())
    assert not any("usage" in one for one in parsed(reply.content)[:-1])
    assert provider.last.json["stream_options"] == (given or {}) | {"include_usage": True}


# --- any body, written in any way


class Raw(str):
    """A JSON number as it is written."""


NUMBERS = ["0", "-0", "1.0", "1e2", "1E+2", "-2.50e-7", "0.10", "1" * 40, "3.14159265358979323846"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.text(max_size=8)
    | st.sampled_from([Raw(one) for one in NUMBERS])
    | st.sampled_from(["auto", '"model":"auto"', "\\", "\u2028", "\x00", "data: x\n\n"])
)
NAMES = st.text(max_size=6) | st.sampled_from(["model", "usage", "stream", "type"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
EXTRAS = st.dictionaries(NAMES.map(lambda name: f"x_{name}"), VALUES, max_size=4)


def write(value, draw, spaces):
    """Return a value as JSON; whitespace and escapes are drawn."""

    def gap():
        return draw(st.sampled_from(spaces))

    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        items = [
            f"{gap()}{write(name, draw, spaces)}{gap()}:{gap()}{write(one, draw, spaces)}{gap()}"
            for name, one in value.items()
        ]
        return "{" + ",".join(items) + gap() + "}"
    if isinstance(value, list):
        items = [f"{gap()}{write(one, draw, spaces)}{gap()}" for one in value]
        return "[" + ",".join(items) + gap() + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@st.composite
def bodies(draw, known, spaces=("", " ", "\n", "\t ", "\r\n")):
    """Return an object with the known fields and others, in any order and style."""
    fields = list((known | draw(EXTRAS)).items())
    whole = dict(draw(st.permutations(fields)))
    around = draw(st.sampled_from(spaces))
    return (around + write(whole, draw, spaces) + around).encode()


def asked(wire, streamed):
    return json.loads(streaming(wire).replace(b"@MODEL@", b'"@MODEL@"')) | {"stream": streamed}


ANY = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def known_reply(wire):
    return json.loads(next(iter(REPLIES[wire].values())))


@pytest.mark.parametrize("wire", WIRES)
def test_any_request_and_reply_keep_their_bytes(send, straight, provider, wire):
    straight(wire)
    request = asked(wire, streamed=False)
    request.pop("stream_options", None)

    @ANY
    @given(bodies(request), bodies(known_reply(wire)))
    def check(template, reply):
        template = template.replace(b'"@MODEL@"', exchanges.MODEL)
        provider.play(reply)
        got = send(wire, filled(template, "auto"))
        assert (got.status_code, got.content) == (200, reply)
        assert provider.last.body == filled(template, "large")

    check()


@st.composite
def streams(draw, wire):
    """Return a stream whose events have more fields, cut into arbitrary pieces."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    events = []
    for raw in STREAMS[wire]["text"]:
        name, _, data = raw.decode().rpartition("data: ")
        if data.startswith("{"):
            data = draw(bodies(json.loads(data), spaces=("", " ", "\t"))).decode()
        events.append(f"{name.strip()}{end if name else ''}data: {data.strip()}{end}{end}".encode())
    whole = b"".join(events)
    cuts = draw(st.lists(st.integers(0, len(whole)), max_size=12).map(sorted))
    places = [0, *cuts, len(whole)]
    pieces = [whole[a:b] for a, b in zip(places, places[1:], strict=False) if a < b]
    return whole, pieces


@pytest.mark.parametrize("wire", WIRES)
def test_any_stream_keeps_its_bytes(send, straight, provider, wire):
    straight(wire)
    template = streaming(wire)

    @ANY
    @given(streams(wire))
    def check(drawn):
        whole, pieces = drawn
        provider.play(pieces, SSE)
        assert send(wire, filled(template, "auto")).content == whole

    check()
