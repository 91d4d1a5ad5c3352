"""Which requests may have a shadow call; why not, in one sentence each.

A shadow call asks again what was asked: it must not do again what was done, and what it answers
must be comparable.
"""

from __future__ import annotations

from django.conf import settings

from routing.types import ChatRequest, DecisionValue, Reason
from routing.wire.shape import Shape

_BY_REASON = {
    Reason.BYPASSED: "bypassed: the client named the model",
    Reason.FORCED: "forced: the client named the tier",
    Reason.STICKY: "sticky: the conversation stays with its model",
    Reason.UNTRANSLATABLE: "untranslatable: the cheap tier's API cannot be asked this",
    Reason.CONTEXT_LENGTH: "context_length: the prompt may not fit the cheap model",
}


def skip_reason(request: ChatRequest, shape: Shape, decision: DecisionValue) -> str:
    """Return why no shadow call may be made, or "" when one may."""
    most = settings.SHADOWEVAL_SHADOW_MEDIA_BYTES
    if decision.reason in _BY_REASON:
        return _BY_REASON[decision.reason]
    if request.no_shadow:
        return "client_off: the client wants no shadow call"
    if shape.provider_acts:
        return "side_effects: the provider would run a tool or store something again"
    if shape.after_tools:
        return "tools: only the first turn of a conversation with tools is shadowed"
    if shape.media_bytes > most:
        return f"media: images and documents over {most:,} bytes"
    return ""
