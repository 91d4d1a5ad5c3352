"""The hot routes as a plain ASGI application, beside Django in the same process.

A Django view costs ten times the CPU of these few functions; sessions, templates and the admin
stay over there. ROUTES below lists what is served here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from routing import access, budget, exchange, gateway, gauges, ids, retrieving, tracing
from routing.call import Call
from routing.connection import ClientGone, Connection, Headers
from routing.errors import (
    AuthenticationFailed,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PermissionDenied,
    RateLimited,
    RequestError,
    ServiceUnavailable,
    place,
)
from routing.live import EAGER_S, KeyInfo, live
from routing.overload import load
from routing.ramp import Ramp
from routing.recording import Recorder
from routing.types import AUTO, Scope, Tier
from routing.wire import anthropic, hints, native, translation
from routing.wire.body import LARGE_BYTES
from routing.wire.speech import ANTHROPIC, NATIVE, OPENAI, Speech

log = logging.getLogger(__name__)

_LOOK_UP_S = 10.0
#: Requests with unknown keys that wait at once.
_MOST_LOOK_UPS = 200
_MODELS = "/v1/models"
#: What Anthropic's API says when there is too much to do; the others say 429.
_OVERLOADED = 529

_count_refusal = gauges.counted(
    "refusals", "Requests refused before anybody was asked, by HTTP status.", "status"
)

#: Looking up keys must not hold the threads that record and parse.
_looking_up = asyncio.Semaphore(_MOST_LOOK_UPS)
_key_reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keys")


@dataclass(frozen=True)
class Route:
    """One hot route: the wire it speaks, its address and method, and who serves it."""

    path: str
    speech: Speech
    serve: Callable[[Call, Connection, Recorder], Awaitable[None]]
    method: str = "POST"


async def handle(connection: Connection, recorder: Recorder) -> None:
    """Serve one request on a hot route; whatever happens, the reply has the route's own shape."""
    route, request_id = route_of(connection), ids.new()
    assert route is not None
    ids.current.set(str(request_id))
    with tracing.request(f"{route.method} {route.path}", connection.headers) as span:
        await _handle(route, request_id, connection, recorder)
        span.set(
            {
                "shadoweval.request_id": str(request_id),
                "http.response.status_code": connection.status or None,
            }
        )


async def _handle(
    route: Route, request_id: UUID, connection: Connection, recorder: Recorder
) -> None:
    try:
        if connection.method != route.method:
            raise MethodNotAllowed(
                f"{connection.method} is not supported here; use {route.method}."
            )
        start, key = time.perf_counter(), await _authenticate(connection.headers)
        with load.one_more():
            await _serve(route, request_id, start, key, connection, recorder)
    except RequestError as exc:
        await refuse(connection, route.speech, exc, str(request_id))
    except ClientGone:
        log.info("request %s: the client left before its answer", request_id)
    except asyncio.CancelledError:
        stopping = ServiceUnavailable("The service is being stopped; send the request again.")
        await refuse(connection, route.speech, stopping, str(request_id))
        log.warning("request %s was cut: the service is being stopped", request_id)
    except Exception as exc:
        # The text of an exception may hold what the client sent: its name and place have to do.
        log.error("request %s failed: %s at %s", request_id, type(exc).__name__, place(exc))
        hint = RequestError("Internal error; the log has this request id.", 500, "api_error")
        await refuse(connection, route.speech, hint, str(request_id))


async def _serve(
    route: Route,
    request_id: UUID,
    start: float,
    key: KeyInfo,
    connection: Connection,
    recorder: Recorder,
) -> None:
    if Scope.ROUTE not in key.scopes:
        raise PermissionDenied("This API key may not route: it lacks the scope `route`.")
    raw = await connection.read(
        settings.SHADOWEVAL_MAX_BODY_BYTES, settings.SHADOWEVAL_BODY_TIMEOUT_S
    )
    await budget.check(key)
    ramp, now = await _ramp(key), timezone.now()
    call = Call(request_id, route.speech, start, now, key, ramp, ramp.target, raw)
    await route.serve(call, connection, recorder)


async def _authenticate(headers: Headers) -> KeyInfo:
    """Return who asks; a key that is not known yet is looked up once more, freshly."""
    raw = access.key_in(headers)
    if not raw:
        raise AuthenticationFailed(
            "Send your API key in the x-api-key header or as Authorization: Bearer."
        )
    hashed = access.digest(raw)
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
    """Wait for a snapshot younger than this moment; all who wait share one look-up."""
    if _looking_up.locked():
        raise ServiceUnavailable("Too many unknown keys are being looked up; try again.")
    async with _looking_up:
        now = time.monotonic()
        await asyncio.sleep(max(0.0, EAGER_S - (now - live.tried_at)))
        loop = asyncio.get_running_loop()
        try:
            reading = loop.run_in_executor(_key_reader, live.refresh, now)
            await asyncio.wait_for(reading, _LOOK_UP_S)
        except Exception as exc:
            log.warning("cannot look up a new key: %s", type(exc).__name__)


async def _ramp(key: KeyInfo) -> Ramp:
    """Return what is live; a new project's key is known while its router is still loaded."""
    ramp = live.snapshot.ramps.get(key.project_id)
    if ramp is None:
        await _look_again()
        ramp = live.snapshot.ramps.get(key.project_id)
    if ramp is None:
        raise ServiceUnavailable(
            "This project has no live policy yet; see Policies in the dashboard."
        )
    return ramp


async def _parse(call: Call, connection: Connection) -> Call:
    """Read the body; a large one in a thread, so that nobody else waits for it."""
    parse = anthropic.parse_count if connection.path == COUNT else call.speech.parse
    if len(call.raw) < LARGE_BYTES:
        request = parse(call.raw, connection.headers)
    else:
        request = await asyncio.to_thread(parse, call.raw, connection.headers)
    return call.asking(hints.apply(request, connection.headers, connection.url_query))


async def _parsed_with_sources(call: Call, connection: Connection) -> Call:
    """Read the body and look up its sources; no model is asked to rewrite a query."""
    call = await _parse(call, connection)
    found = await retrieving.prepare(call.request, call.key.project_id, call.policy)
    return replace(call, request=found)


async def _answer(call: Call, connection: Connection, recorder: Recorder) -> None:
    """Route the request and answer it, once per idempotency key."""
    parsed = await _parse(call, connection)
    await exchange.serve_once(parsed, connection, recorder)


async def _decide(call: Call, connection: Connection, recorder: Recorder) -> None:
    """Say where the request would go, and from what; nothing is asked and nothing recorded."""
    call = await _parsed_with_sources(call, connection)
    policy = call.policy
    decision = await gateway.decide(call.request, call.shape, policy, live.router(policy.router))
    model = policy.tier_spec(decision.tier).model
    body = native.decide_body(
        str(call.id), decision, policy.name, model, policy.is_simulated,
        call.request.retrieval,
    )  # fmt: skip
    await connection.reply(200, body, "application/json", call.id_header)


async def _count(call: Call, connection: Connection, recorder: Recorder) -> None:
    """Count a prompt's tokens by the model that would be asked, its sources included."""
    call = await _parsed_with_sources(call, connection)
    counted = await gateway.count_tokens(call.request, call.policy)
    headers = counted.headers | call.id_header | {"x-shadoweval-model": counted.model}
    if counted.error and not counted.error_body:
        raise exchange.provider_failed(counted)
    kind = counted.error_type or "application/json"
    await connection.reply(counted.status, counted.error_body, kind, headers)


async def _models(call: Call, connection: Connection, recorder: Recorder) -> None:
    """List the names that may be asked for, or show one of them."""
    policy, module = call.policy, call.speech.module
    tiers = [policy.tier_spec(tier).model for tier in (Tier.CHEAP, Tier.EXPENSIVE)]
    policies = [one.name for one in call.ramp.policies]
    names = list(dict.fromkeys([AUTO, *policies, *tiers]))
    wanted = connection.path.removeprefix(_MODELS).strip("/")
    if wanted and wanted not in names:
        raise NotFound(f"model: {wanted[:120]}")
    body = (
        translation.dump(module.model_json(wanted, policy.created_at))
        if wanted
        else module.models_body(names, policy.created_at)
    )
    await connection.reply(200, body, "application/json", call.id_header)


COUNT = "/v1/messages/count_tokens"
#: What a client asks for whose base URL has no /v1, though its SDK adds none.
ASTRAY = ("/chat/completions", "/messages", "/models")
ROUTES: dict[str, Route] = {
    route.path: route
    for route in (
        Route("/v1/messages", ANTHROPIC, _answer),
        Route(COUNT, ANTHROPIC, _count),
        Route("/v1/chat/completions", OPENAI, _answer),
        Route("/api/v1/route", NATIVE, _answer),
        Route("/api/v1/decide", NATIVE, _decide),
    )
}


def route_of(connection: Connection) -> Route | None:
    """Return the hot route of a request, or None when it is not served here.

    Both vendors' clients ask for the models under one path; they differ in their headers.
    """
    if connection.path == _MODELS or connection.path.startswith(_MODELS + "/"):
        return Route(_MODELS, _speech_of(connection), _models, "GET")
    return ROUTES.get(connection.path)


def _speech_of(connection: Connection) -> Speech:
    """Return the API whose client asks, where the path does not say it."""
    if connection.path.startswith("/api/"):
        return NATIVE
    says = connection.headers
    is_anthropic = "anthropic-version" in says or connection.path.startswith("/v1/messages")
    return ANTHROPIC if is_anthropic or "x-api-key" in says else OPENAI


async def not_found(connection: Connection) -> None:
    """Answer an unknown path below /v1/, or one that lacks it, in the shape of the client's API."""
    said = f"{connection.path[:200]} does not exist here."
    if connection.path in ASTRAY or connection.path.startswith("/v1/v1/"):
        said += " An OpenAI client's base URL ends in /v1, an Anthropic client's does not."
    error = NotFound(said)
    await refuse(connection, _speech_of(connection), error, str(ids.new()))


async def limit_cold(connection: Connection) -> bool:
    """Count a request that Django serves against its key's limit; return whether it was refused."""
    key = live.snapshot.keys.get(access.digest(access.key_in(connection.headers)))
    if key is None or key.requests_per_minute is None:
        return False
    try:
        await budget.check_rate(key)
    except RateLimited as exc:
        await refuse(connection, NATIVE, exc, str(ids.new()))
        return True
    return False


async def refuse(
    connection: Connection, speech: Speech, error: RequestError, request_id: str
) -> None:
    """Send an error in the API's own shape, unless a reply has begun."""
    if connection.has_begun:
        return  # the server closes the connection: the client sees that the reply is not whole
    headers = {"x-shadoweval-request-id": request_id}
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = "GET" if connection.path.startswith(_MODELS) else "POST"
    wait_s = getattr(error, "retry_after_s", None)
    if wait_s is not None:
        headers["retry-after"] = str(max(1, round(wait_s)))
    body = speech.error_body(error, request_id)
    is_529 = isinstance(error, Overloaded) and speech is ANTHROPIC
    status = _OVERLOADED if is_529 else error.status
    _count_refusal(str(status))
    await connection.reply(status, body, speech.error_type, headers)
