"""Log lines as JSON: which request, which trace, and nothing that anybody asked or answered."""

import json
import logging
from logging.config import DictConfigurator

import httpx2 as httpx
import pytest
from django.conf import settings

from routing import ids, shifts, tracing
from routing.models import Request
from tests.routing.conformance.provider import TEXT

SAID = "platypus venom"


@pytest.fixture
def lines():
    """Every line of the root logger from now on."""
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(handler.format(record))
    handler.setFormatter(
        DictConfigurator(settings.LOGGING).configure_formatter(
            dict(settings.LOGGING["formatters"]["json"])
        )
    )
    logging.getLogger().addHandler(handler)
    yield said
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    "model", ["fault-529", "cut", "malformed", "gpt"], ids=["refuses", "cuts", "lies", "answers"]
)
def test_lines_name_their_request_and_hold_no_text(
    point, service, api_key, lines, eventually, model
):
    point(cheap=f"anthropic:{model}", expensive=f"anthropic:{model}", rate=1.0)
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": SAID}]}
    headers = {"x-api-key": api_key}
    got = httpx.post(f"{service}/v1/messages", json=body, headers=headers, timeout=20)
    eventually(Request.objects.count)
    shifts.run()
    read = [json.loads(line) for line in lines]
    assert not any(SAID in line or TEXT in line or api_key in line for line in lines)
    of_routing = [line for line in read if line["logger"] == "routing.gateway"]
    named = {line["request_id"] for line in of_routing}
    assert named == ({got.headers["x-shadoweval-request-id"]} if got.status_code != 200 else set())


def test_of_an_exception_type_and_place_are_told_and_of_what_is_attached_nothing(lines):
    try:
        raise ValueError(SAID)
    except ValueError:
        extra = {"request": SAID, "data": {"args": SAID}}
        logging.getLogger("x").exception("it failed", extra=extra)
    (line,) = lines
    assert SAID not in line
    said = json.loads(line)["exception"]
    assert said[-1] == "builtins.ValueError"
    assert said[0].startswith(f"{__file__}:")


def test_a_line_within_a_trace_names_it(lines):
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    tracing.begin("test", SimpleSpanProcessor(InMemorySpanExporter()))
    token = ids.current.set("01890a5d")
    with tracing.request("POST /x", {}):
        trace_id = tracing.current().split("-")[1]
        logging.getLogger("x").warning("within")
    ids.current.reset(token)
    tracing.stop()
    said = json.loads(lines[0])
    assert (said["trace_id"], said["request_id"]) == (trace_id, "01890a5d")
