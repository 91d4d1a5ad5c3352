"""Traces: one span a request with its steps, calls by the conventions, and never a text."""

import subprocess
import sys

import httpx2 as httpx
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from routing import shifts, tracing
from routing.models import Request, ShadowPair
from tests.routing.conftest import ALL_CHEAP
from tests.webhook import Receiver

SAID = "platypus venom"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans():
    """What was traced so far, by name; the newest of each."""
    exporter = InMemorySpanExporter()
    tracing.begin("test", SimpleSpanProcessor(exporter))
    yield lambda: {span.name: span for span in exporter.get_finished_spans()}
    tracing.stop()


@pytest.fixture
def ask(service, api_key, eventually):
    """Ask within a trace of the client's, and wait until it is recorded."""

    def ask(flags="01", **more):
        body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": SAID}]}
        headers = {"x-api-key": api_key, "traceparent": f"00-{TRACE}-{PARENT}-{flags}"}
        got = httpx.post(f"{service}/v1/messages", json=body | more, headers=headers, timeout=20)
        eventually(Request.objects.count)
        return got

    return ask


def of_parent(span):
    return span.parent and f"{span.parent.span_id:016x}"


def name_of(span):
    return f"{span.context.span_id:016x}"


def test_a_request_goes_on_with_the_clients_trace_and_its_shadow_call_is_linked(
    point, ask, spans, eventually
):
    point(rate=1.0)
    request_id = ask().headers["x-shadoweval-request-id"]
    served = eventually(lambda: spans().get("POST /v1/messages"))
    assert (f"{served.context.trace_id:032x}", of_parent(served)) == (TRACE, PARENT)
    assert served.attributes["shadoweval.request_id"] == request_id
    assert served.attributes["shadoweval.reason"] == "at_or_above_threshold"
    assert served.attributes["http.response.status_code"] == 200
    assert of_parent(spans()["decide"]) == of_parent(spans()["chat large"]) == name_of(served)

    shifts.run()
    assert ShadowPair.objects.count() == 1
    shadow = spans()["shadow"]
    assert shadow.context.trace_id != served.context.trace_id
    assert [link.context.span_id for link in shadow.links] == [served.context.span_id]
    assert of_parent(spans()["chat small"]) == name_of(shadow)
    assert SAID not in " ".join(span.to_json() for span in spans().values())


def test_no_provider_gets_the_trace(point, provider, ask, spans):
    point(rate=1.0)
    ask()
    shifts.run()
    assert len(provider.seen) == 2
    assert not any("traceparent" in seen.headers for seen in provider.seen)


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_call_is_told_by_the_conventions(point, ask, spans, eventually, is_stream):
    point(threshold=ALL_CHEAP)
    ask(stream=is_stream)
    said = dict(eventually(lambda: spans().get("chat small")).attributes)
    assert said.pop("gen_ai.request.stream", False) is is_stream
    assert said.pop("gen_ai.usage.output_tokens") > 0
    assert said.pop("gen_ai.usage.input_tokens") > 0
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "small",
        "gen_ai.response.model": "small",
        "gen_ai.response.finish_reasons": ("end_turn",),
        "gen_ai.usage.cache_read.input_tokens": 3,
    }


def test_a_failed_call_has_the_kind_of_error_and_no_text(point, ask, spans, eventually):
    point(expensive="anthropic:fault-529")
    ask()
    failed = eventually(lambda: spans().get("chat fault-529"))
    assert failed.attributes["error.type"] == "529"
    assert failed.status.status_code.name == "ERROR"
    assert not failed.events


def test_what_the_client_does_not_sample_is_not_traced(point, ask, spans):
    point()
    ask(flags="00")
    assert spans() == {}


def test_a_collector_gets_spans_and_no_text(point, ask):
    receiver = Receiver()
    receiver.answers = 200
    tracing.start("test", receiver.url.partition("/hook")[0])
    point()
    ask()
    tracing.stop()
    receiver.close()
    got = b"".join(body for _, body in receiver.taken)
    assert b"gen_ai.request.model" in got
    assert SAID.encode() not in got


def test_no_tracer_is_imported_while_no_collector_is_named(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    code = (
        "import sys, django; django.setup(); from routing import serving, tracing;"
        "tracing.start('web'); tracing.request('x', {}).__enter__(); tracing.note({});"
        "assert not {'opentelemetry.sdk.trace', 'opentelemetry.exporter'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
