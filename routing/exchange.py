"""One routed request from its parsed body to the last byte of its reply, and its record.

The reply goes first: what is recorded, remembered and counted comes after it.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

from routing import gateway, idempotency, redaction, retrieving, spans, streaming, tracing
from routing.answer import Answer
from routing.call import (
    LEFT,
    STOPPING,
    Call,
    as_stored,
    cost_text,
    later,
    looked_through,
    remember,
    reply_headers,
    served,
    spend,
    timed,
)
from routing.connection import ClientGone, Connection, Watch
from routing.errors import InvalidRequest, RequestError
from routing.idempotency import Claim, Kept
from routing.live import live
from routing.probing import Bill
from routing.recording import Recorder
from routing.routers.base import Router
from routing.types import DecisionValue, Reply
from routing.wire import native, translation
from routing.wire.speech import NATIVE


async def serve_once(call: Call, connection: Connection, recorder: Recorder) -> None:
    """Answer a request; one whose idempotency key was answered before gets that reply again.

    A project that stores no texts has no reply kept either: its keys count for nothing.

    The client is watched from here on: when it leaves, nobody waits or asks for it any more.
    """
    watch = Watch(connection)
    keeping = call.key.keeping
    keeps_nothing = keeping is not None and keeping.keeps == redaction.NOTHING
    key = None if keeps_nothing else connection.headers.get("idempotency-key")
    try:
        if key is None:
            await _serve(call, connection, watch, recorder)
            return
        claiming = idempotency.claim(call.key.id, key, _asked(call, connection))
        claim = await watch.while_there(claiming)
        if isinstance(claim, Kept):
            await _replay(connection, claim)
        elif claim is None:
            await _serve(call, connection, watch, recorder)
        else:
            await _serve_under(claim, call, connection, watch, recorder)
    finally:
        watch.stop()


def _asked(call: Call, connection: Connection) -> bytes:
    """Return what a reply depends on, for comparing two requests."""
    said = {k: v for k, v in connection.headers.items() if k.startswith("x-shadoweval-")}
    beside = [connection.path, connection.url_query, said | call.request.headers]
    return json.dumps(beside, sort_keys=True).encode() + b"\n" + call.raw


async def _serve_under(
    claim: Claim, call: Call, connection: Connection, watch: Watch, recorder: Recorder
) -> None:
    """Answer under a claim, and keep the reply or free the key."""
    holding, kept = asyncio.create_task(claim.hold()), None
    try:
        kept = await _serve(call, connection, watch, recorder, keeps=True)
    finally:
        holding.cancel()
        later(claim.keep(kept) if kept else claim.free())


async def _replay(connection: Connection, kept: Kept) -> None:
    headers = {**kept.headers, "x-shadoweval-replayed": "true"}
    await connection.reply(kept.status, kept.body, headers.pop("content-type"), headers)


async def _serve(
    call: Call,
    connection: Connection,
    watch: Watch,
    recorder: Recorder,
    keeps: bool = False,
) -> Kept | None:
    """Decide, ask, reply; a client that leaves takes the provider's call with it.

    Returns the reply as it went out when it is to be kept and is whole.
    """
    if call.request.collection or call.request.context:
        with tracing.step("look up"):
            call = await watch.while_there(_looked_up(call, recorder))
    call = await watch.while_there(looked_through(call))
    policy, router, found = call.policy, live.router(call.policy.router), call.request.retrieval
    with tracing.step("decide") as step:
        decision = await gateway.decide(call.request, call.shape, policy, router)
        step.set(spans.of_decision(decision, policy))
    overhead_ms = (time.perf_counter() - call.start) * 1000
    overhead_ms -= (found.rewrite_ms or 0.0) if found else 0.0
    answer, bill = Answer(decision), Bill()
    try:
        if decision.needs_answer:
            asked = time.perf_counter()
            answer = await watch.while_there(_probed(call, decision, router, bill))
            overhead_ms += (time.perf_counter() - asked) * 1000 - (bill.ms or 0.0)
        if not answer.is_good:
            answer = await watch.while_there(_answered(call, answer))
    except ClientGone:
        _record(call, replace(answer, status=499, error=LEFT), bill, recorder)
        return None
    except asyncio.CancelledError:
        _record(call, replace(answer, status=503, error=STOPPING), bill, recorder)
        raise
    except InvalidRequest as exc:
        if bill.begun is not None:  # refused, but paid for
            refused = replace(answer, status=exc.status, error="untranslatable")
            _record(call, refused, bill, recorder)
        raise
    if answer.stream is not None:
        row = replace(served(call, answer), is_stream=True, overhead_ms=overhead_ms)
        return await streaming.stream(
            call, answer, answer.stream, row, connection, watch, recorder, keeps
        )
    return await _whole(call, answer, overhead_ms, connection, watch, recorder)


async def _looked_up(call: Call, recorder: Recorder) -> Call:
    """Look up what the request is to be answered from, and count what was paid for it at once.

    Its shape and who decides stay: they follow from what the client sent. A request that fails here
    is recorded where something was paid for it.
    """
    bill = Bill()
    try:
        policy, project_id = call.policy, call.key.project_id
        request = await retrieving.prepare(call.request, project_id, policy, bill)
    except RequestError as exc:
        if bill.begun is not None:
            await _record_paid(call, bill, exc, recorder)
        raise
    finally:
        if bill.begun is not None:
            spend(call, bill.usd)
    return replace(call, request=request)


async def _record_paid(call: Call, bill: Bill, error: RequestError, recorder: Recorder) -> None:
    """Keep a request whose search failed, with the decision that it would have got without one."""
    asked, paid = call.request, retrieving.paid_for(call.request, bill)
    decision = await gateway.decide(asked, call.shape, call.policy, live.router(call.policy.router))
    known = await looked_through(replace(call, request=replace(asked, retrieval=paid)))
    answer = Answer(decision, status=error.status, error=f"retrieval_failed: {error.message}")
    _record(known, answer, Bill(), recorder)


async def _answered(call: Call, probed: Answer) -> Answer:
    """Ask whom the decision names; what was asked before it is not forgotten."""
    answer = await gateway.answer(call.request, probed.decision, call.policy)
    return replace(answer, probes=probed.probes)


async def _probed(call: Call, decision: DecisionValue, router: Router | None, bill: Bill) -> Answer:
    """Ask before deciding, and count what was paid at once, whatever becomes of the request."""
    try:
        return await gateway.probe(call.request, decision, call.policy, router, bill)
    finally:
        if bill.begun is not None:
            spend(call, bill.usd)


def _record(call: Call, answer: Answer, bill: Bill, recorder: Recorder) -> None:
    """Keep a request that got no answer, with what was paid for it before deciding."""
    paid = replace(answer, decision=bill.on(answer.decision))
    recorder.put(timed(call, served(call, paid), 0.0))


async def _whole(
    call: Call,
    answer: Answer,
    overhead_ms: float,
    connection: Connection,
    watch: Watch,
    recorder: Recorder,
) -> Kept | None:
    if answer.reply is not None and watch.is_gone:  # nobody saw it: no half of a pair
        partial = replace(answer.reply, is_partial=True)
        answer = replace(answer, reply=partial, error=LEFT)
    answered = time.perf_counter()
    status, body, content_type = _render(call, answer)
    row = served(call, answer, status)
    overhead_ms += (time.perf_counter() - answered) * 1000
    headers = reply_headers(call, answer, row, overhead_ms, cost_text(call, answer))
    if answer.reply is not None:
        remember(call, answer, answer.reply)
    known = timed(call, row, overhead_ms)
    try:
        known = await as_stored(known)
    finally:
        recorder.put(known)  # before it leaves: who has it, finds it recorded
    await connection.reply(status, body, content_type, headers)
    return Kept(status, {**headers, "content-type": content_type}, body, row.end_user)


def _render(call: Call, answer: Answer) -> tuple[int, bytes, str]:
    """Return status, body and content type; what the client's own API sent passes as it came."""
    if answer.reply is not None:
        return 200, _body(call, answer, answer.reply), "application/json"
    if not answer.error_body or call.speech is NATIVE:
        error = provider_failed(answer)
        return error.status, call.speech.error_body(error, str(call.id)), call.speech.error_type
    if answer.dialect is call.speech.dialect:
        return answer.status, answer.error_body, answer.error_type
    body = translation.error(answer.error_body, answer.status, call.speech.dialect)
    return answer.status, body, "application/json"


def _body(call: Call, answer: Answer, reply: Reply) -> bytes:
    if call.speech is not NATIVE:
        return answer.body
    return native.reply_body(
        str(call.id), reply, answer.decision, call.policy.name,
        call.total_usd(answer), call.policy.is_simulated, call.request.retrieval,
    )  # fmt: skip


def provider_failed(answer: Answer) -> RequestError:
    """Return the error for a provider that gave no answer, or none that can be shown."""
    why = answer.error or "no reply"
    sentence = f"The model provider failed ({why}); the request may succeed if sent again."
    return RequestError(sentence, answer.status if answer.status >= 400 else 502, "api_error")
