"""Traces by OpenTelemetry, with its conventions for generative AI; never a prompt or an answer.

Off until `start` finds a collector named. Until then nothing of OpenTelemetry is imported, and each
function here returns at once.
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ParamSpec, TypeVar

from routing.types import Reply, TierSpec

P = ParamSpec("P")
T = TypeVar("T")

#: How a trace is named in headers; W3C Trace Context, section 3.2.
HEADER = "traceparent"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_STOP_MS = 5_000

#: Both of OpenTelemetry, None while off.
_tracer: Any = None
_provider: Any = None


class Span:
    """One step of a trace; the base does nothing."""

    def set(self, attributes: Mapping[str, Any]) -> None:
        """Note attributes; those that are None are left out."""

    def fail(self, kind: str) -> None:
        """Note that the step failed, and the kind of error; its text may hold what was asked."""

    def end(self) -> None:
        """End the step, where no block does."""


class _Live(Span):
    def __init__(self, span: Any) -> None:
        self.span = span

    def set(self, attributes: Mapping[str, Any]) -> None:
        self.span.set_attributes({k: v for k, v in attributes.items() if v is not None})

    def fail(self, kind: str) -> None:
        from opentelemetry.trace import StatusCode

        self.span.set_status(StatusCode.ERROR)
        self.span.set_attribute("error.type", kind)

    def end(self) -> None:
        self.span.end()


class _Block:
    """A step that is the current one while its block runs."""

    def __init__(self, span: Any) -> None:
        from opentelemetry import trace

        self._live = _Live(span)
        self._use = trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        )

    def __enter__(self) -> Span:
        self._use.__enter__()
        return self._live

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is not None:
            self._live.fail(kind.__name__)
        self._use.__exit__(None, None, None)


_NOTHING = Span()
_OFF: AbstractContextManager[Span] = nullcontext(_NOTHING)


def start(process: str, url: str = "") -> None:
    """Begin to trace when a collector is named, by our setting or by OpenTelemetry's own.

    Args:
        process: what this one is called.
        url: of a collector that takes OTLP over HTTP; "" where only the environment may name it.
    """
    if not (url or any(os.environ.get(name) for name in _ENDPOINTS)):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    endpoint = f"{url.rstrip('/')}/v1/traces" if url else None
    begin(process, BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))


def begin(process: str, processor: Any) -> None:
    """Have spans go to a processor of OpenTelemetry's SDK."""
    global _provider, _tracer
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    said = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME", "shadoweval"),
        "service.instance.id": process,
    }
    _provider = TracerProvider(resource=Resource.create(said), shutdown_on_exit=False)
    _provider.add_span_processor(processor)
    _tracer = _provider.get_tracer("shadoweval")


def stop() -> None:
    """Send what is left, and be off."""
    global _provider, _tracer
    if _provider is not None:
        _provider.force_flush(_STOP_MS)
        _provider.shutdown()
    _provider = _tracer = None


def request(route: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
    """Begin a request's span; it goes on with the trace that the client's headers name.

    Args:
        route: method and path, without what the client put into it.
        headers: by lower-case name.
    """
    if _tracer is None:
        return _OFF
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract(headers)
    return _Block(_tracer.start_span(route, context=parent, kind=SpanKind.SERVER))


def step(name: str) -> AbstractContextManager[Span]:
    """Begin a step of what is under way."""
    return _OFF if _tracer is None else _Block(_tracer.start_span(name))


def shadow(
    name: str, traceparent: str, attributes: Mapping[str, Any]
) -> AbstractContextManager[Span]:
    """Begin a trace of its own for what is done later, linked with that of its request.

    Args:
        name: what is done.
        traceparent: of the request, as `current` gave it; "" where it was not traced.
        attributes: of the span.
    """
    if _tracer is None:
        return _OFF
    from opentelemetry.trace import Link, SpanKind, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({HEADER: traceparent})
    before = get_current_span(context).get_span_context()
    links = [Link(before)] if before.is_valid else []
    made = _tracer.start_span(name, kind=SpanKind.CONSUMER, links=links, attributes=attributes)
    return _Block(made)


def current() -> str:
    """Return the current step as a `traceparent`, or "" when nothing is traced."""
    if _tracer is None:
        return ""
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def note(attributes: Mapping[str, Any]) -> None:
    """Note attributes of the current step."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        _Live(get_current_span()).set(attributes)


# --- calls to providers -------------------------------------------------------------------


def call(ask: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Have a provider's method that returns a reply, or a stream, traced.

    Its first argument after `self` is the `TierSpec`. A stream's span ends when it is closed.
    """

    @functools.wraps(ask)
    def traced(*args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        made = ask(*args, **kwargs)
        return made if _tracer is None else _told(made, args[1])

    return traced


async def _told(asking: Awaitable[T], spec: Any) -> Any:
    span = _Live(_begun(spec))
    try:
        result = await asking
    except BaseException as exc:
        status = getattr(exc, "status", None)
        span.set({"http.response.status_code": status})
        span.fail(str(status or type(exc).__name__))
        span.end()
        raise
    if not isinstance(result, Reply):
        return _Followed(result, span)
    span.set(_of_reply(result))
    span.end()
    return result


def _begun(spec: TierSpec) -> Any:
    from opentelemetry.trace import SpanKind

    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": spec.provider,
        "gen_ai.request.model": spec.model,
    }
    return _tracer.start_span(f"chat {spec.model}", kind=SpanKind.CLIENT, attributes=said)


def _of_reply(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "gen_ai.response.model": reply.model[:120],
        "gen_ai.response.finish_reasons": [reply.stop_reason[:40]],
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens or None,
        "gen_ai.usage.cache_creation.input_tokens": written or None,
    }


class _Followed:
    """A stream whose span ends with it."""

    def __init__(self, stream: Any, span: Span) -> None:
        self._stream, self.span = stream, span
        self.headers, self.peek, self.hurry = stream.headers, stream.peek, stream.hurry
        self.span.set({"gen_ai.request.stream": True})

    def __aiter__(self) -> AsyncIterator[bytes]:
        events: AsyncIterator[bytes] = self._stream.__aiter__()
        return events

    def close(self) -> None:
        self._stream.close()
        self.span.end()


def tell(stream: Any, reply: Reply | None, error: str) -> None:
    """Note what a stream came to: its reply, and the kind of error that cut it, "" for none."""
    if isinstance(stream, _Followed):
        stream.span.set({} if reply is None else _of_reply(reply))
        if error:
            stream.span.fail(error)
