"""The hot routes as a plain ASGI application, beside Django in the same process.

A Django view costs ten times the CPU of these few functions; sessions, templates and the admin
stay over there. Routes: POST /v1/messages, POST /api/v1/route.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.utils import timezone

from routing import gateway
from routing.access import digest
from routing.errors import (
    AuthenticationFailed,
    MethodNotAllowed,
    NotFound,
    RequestError,
    ServiceUnavailable,
    TooLarge,
)
from routing.gateway import Answer
from routing.live import EAGER_S, KeyInfo, live
from routing.models import Policy
from routing.recording import Recorder, skip_reason
from routing.types import ChatRequest, Served
from routing.wire import anthropic, native

log = logging.getLogger(__name__)

Headers = dict[str, str]

_LOOK_UP_S = 10.0
_UNPRINTABLE = re.compile(r"[^ -~]")
#: Larger bodies are read in a thread: JSON of ten megabytes takes up to a second.
_LARGE_BYTES = 200_000


#: Looking up keys must not hold the threads that record and parse.
_key_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keys")


@dataclass(frozen=True)
class Route:
    """One hot route: the wire it speaks and the content types of its replies."""

    wire: str
    parse: Callable[[bytes, Headers], ChatRequest]
    error_body: Callable[[RequestError, str], bytes]
    error_type: str


ROUTES: dict[str, Route] = {
    "/v1/messages": Route(
        anthropic.NAME, anthropic.parse, anthropic.error_body, "application/json"
    ),
    "/api/v1/route": Route(
        native.NAME, native.parse, native.error_body, "application/problem+json"
    ),
}


@dataclass(frozen=True)
class Call:
    """One request on its way: who asks, since when, under which policy."""

    id: UUID
    route: Route
    headers: Headers
    start: float
    received_at: Any
    key: KeyInfo
    policy: Policy


async def handle(scope: dict[str, Any], receive: Any, send: Any, recorder: Recorder) -> None:
    """Serve one request on a hot route; whatever happens, the reply has the route's own shape."""
    route, request_id, start = ROUTES[scope["path"]], uuid4(), time.perf_counter()
    send = _Reply(send)
    headers = _headers_of(scope)
    try:
        _check_method(scope["method"])
        key = await _authenticate(headers)
        raw = await _read(receive, headers)
        policy = _policy(key)
        call = Call(request_id, route, headers, start, timezone.now(), key, policy)
        await _serve(call, raw, send, recorder)
    except RequestError as exc:
        await _refuse(send, route, exc, request_id)
    except ClientGone:
        log.info("request %s: the client left before its body was complete", request_id)
    except Exception as exc:
        log.exception("request %s failed: %s", request_id, type(exc).__name__)
        if send.has_begun:
            return  # the server closes the connection: the client sees that the reply is not whole
        hint = RequestError("Internal error; the log has this request id.", 500, "api_error")
        await _refuse(send, route, hint, request_id)


def _headers_of(scope: dict[str, Any]) -> Headers:
    """Return the headers by lower-case name; a name that came twice has both values."""
    headers: Headers = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


class _Reply:
    """Sends the reply and knows whether it has begun: then no other can follow."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: dict[str, Any]) -> None:
        """Send one ASGI message."""
        await self._send(message)
        self.has_begun = True


class ClientGone(Exception):
    """The client closed the connection while sending its body."""


def _check_method(method: str) -> None:
    if method != "POST":
        raise MethodNotAllowed(f"{method} is not supported here; use POST.")


async def _authenticate(headers: Headers) -> KeyInfo:
    """Return who asks; a key that is not known yet is looked up once more, freshly."""
    authorization = headers.get("authorization", "")
    bearer = authorization[7:].strip() if authorization[:7].lower() == "bearer " else ""
    raw = headers.get("x-api-key") or bearer
    if not raw:
        raise AuthenticationFailed("Send your API key in the x-api-key header.")
    hashed = digest(raw)
    known = live.snapshot.keys.get(hashed)
    if known is None:
        await _look_again()
        known = live.snapshot.keys.get(hashed)
    if known is None and not live.is_fresh:
        raise ServiceUnavailable("The key cannot be checked at this moment; try again.")
    if known is None:
        raise AuthenticationFailed("This API key is unknown or was revoked.")
    return known


async def _look_again() -> None:
    """Wait for a snapshot younger than this moment; wrong keys share one look-up."""
    now = time.monotonic()
    await asyncio.sleep(max(0.0, EAGER_S - (now - live.tried_at)))
    loop = asyncio.get_running_loop()
    try:
        reading = loop.run_in_executor(_key_reader, live.refresh, now)
        await asyncio.wait_for(reading, _LOOK_UP_S)
    except Exception as exc:
        log.warning("cannot look up a new key: %s", type(exc).__name__)


async def _read(receive: Any, headers: Headers) -> bytes:
    """Return the body; one over the limit is refused as soon as that is known.

    The rest of a refused body is read and dropped (up to a bound): closing the connection under a
    client that is still sending would hide the refusal from it.
    """
    limit = settings.SHADOWEVAL_MAX_BODY_BYTES
    length = headers.get("content-length", "0")
    too_large = length.isdigit() and int(length) > limit
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        too_large = too_large or size > limit
        if too_large:
            chunks.clear()
            if size > 10 * limit:
                break
        else:
            chunks.append(chunk)
    if too_large:
        raise TooLarge(f"The request body is larger than {limit:,} bytes.")
    return b"".join(chunks)


def _policy(key: KeyInfo) -> Policy:
    policy = live.snapshot.policies.get(key.project_id)
    if policy is None:
        raise ServiceUnavailable(
            "This project has no live policy yet; see Policies in the dashboard."
        )
    return policy


async def _serve(call: Call, raw: bytes, send: Any, recorder: Recorder) -> None:
    request = await _parse(call, raw)
    decision = await gateway.decide(request, call.policy, live.router(call.policy.router))
    ready = time.perf_counter()
    answer = await gateway.answer(request, decision, call.policy)
    answered = time.perf_counter()
    status, body, content_type = _render(call, answer)
    row = _served(call, request, answer, status, len(raw) + len(body))
    overhead_ms = (ready - call.start + time.perf_counter() - answered) * 1000
    try:
        await _send(send, status, body, content_type, _headers(call, answer, overhead_ms, row))
    finally:
        latency_ms = (time.perf_counter() - call.start) * 1000
        recorder.put(replace(row, overhead_ms=overhead_ms, latency_ms=latency_ms))


async def _parse(call: Call, raw: bytes) -> ChatRequest:
    """Read the body; a large one in a thread, so that nobody else waits for it."""
    if len(raw) < _LARGE_BYTES:
        return call.route.parse(raw, call.headers)
    return await asyncio.to_thread(call.route.parse, raw, call.headers)


def _render(call: Call, answer: Answer) -> tuple[int, bytes, str]:
    """Return status, body and content type; a provider's own error passes as it came."""
    is_anthropic = call.route.wire == anthropic.NAME
    if answer.reply is not None:
        if is_anthropic:
            return 200, answer.reply.body, "application/json"
        body = native.reply_body(
            str(call.id), answer.reply, answer.decision, call.policy.name,
            answer.cost_usd, call.policy.is_simulated,
        )  # fmt: skip
        return 200, body, "application/json"
    if answer.error_body and is_anthropic:
        return answer.status, answer.error_body, "application/json"
    sentence = f"The model provider failed ({answer.error}); the request may succeed if sent again."
    error = RequestError(sentence, answer.status, "api_error")
    return answer.status, call.route.error_body(error, str(call.id)), call.route.error_type


def _headers(call: Call, answer: Answer, overhead_ms: float, row: Served) -> Headers:
    """Return the headers that every routed reply carries."""
    decision, policy = answer.decision, call.policy
    headers = {
        "x-shadoweval-request-id": str(call.id),
        "x-shadoweval-tier": decision.tier.value,
        "x-shadoweval-model": answer.model,
        "x-shadoweval-score": "" if decision.score is None else f"{decision.score:.6f}",
        "x-shadoweval-threshold": f"{decision.threshold:g}",
        "x-shadoweval-policy": policy.name,
        "x-shadoweval-reason": decision.reason.value,
        "x-shadoweval-task": decision.task,
        "x-shadoweval-cost-usd": "unknown" if answer.cost_usd is None else f"{answer.cost_usd:f}",
        "x-shadoweval-overhead-ms": f"{overhead_ms:.2f}",
        "x-shadoweval-shadow": "none" if skip_reason(row) else decision.tier.other.value,
    }
    if policy.is_simulated:
        headers["x-shadoweval-simulated"] = "true"
    if answer.retry_after_s is not None:
        headers["retry-after"] = f"{answer.retry_after_s:g}"
    if answer.reply is not None:
        headers |= answer.reply.headers
    return headers


def _served(
    call: Call, request: ChatRequest, answer: Answer, status: int, size_bytes: int
) -> Served:
    """Put together what is to be recorded; the times are filled in when the reply has left."""
    return Served(
        request_id=call.id,
        received_at=call.received_at,
        project_id=call.key.project_id,
        api_key_id=call.key.id,
        policy_id=call.policy.pk,
        wire=call.route.wire,
        request=request,
        decision=answer.decision,
        status=status,
        error=answer.error,
        provider=answer.provider,
        reply=answer.reply,
        cost_usd=answer.cost_usd,
        shadow_rate=call.policy.shadow_rate(answer.decision.tier.other),
        overhead_ms=0.0,
        latency_ms=0.0,
        size_bytes=size_bytes,
    )


async def _refuse(send: Any, route: Route, error: RequestError, request_id: UUID) -> None:
    body = route.error_body(error, str(request_id))
    headers = {"x-shadoweval-request-id": str(request_id)}
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = "POST"
    await _send(send, error.status, body, route.error_type, headers)


async def _send(send: Any, status: int, body: bytes, content_type: str, headers: Headers) -> None:
    """Send the reply; what HTTP cannot carry in a header becomes a question mark."""
    pairs = {"content-type": content_type, "content-length": str(len(body)), **headers}
    encoded = [
        (name.encode("ascii"), _UNPRINTABLE.sub("?", value).encode("ascii"))
        for name, value in pairs.items()
    ]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def not_found(scope: dict[str, Any], send: Any) -> None:
    """Answer an unknown path below /v1/ in the API's own shape."""
    error = NotFound(f"{scope['path'][:200]} does not exist here.")
    await _refuse(send, ROUTES["/v1/messages"], error, uuid4())
