"""Cheap answers that say how sure they are, in both APIs, and the routers that look at them."""

import hashlib
import json
from decimal import Decimal

from routing.models import RouterVersion
from routing.routers import cascade
from routing.types import Price

PRICE = Price(Decimal(1), Decimal(5), cache_read_usd=Decimal("0.1"))
#: Of `answer`, and of what the stand-in says by itself, under PRICE.
CHEAP_USD, EXPENSIVE_USD = Decimal("0.00015"), Decimal("0.0000463")
ANSWER = "Because of Rayleigh scattering."


def answer(kind, text, stop=None):
    """Return a reply of the API `kind` with this text."""
    if kind == "openai":
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": stop or "stop"}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        head = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "small"}
        return json.dumps({**head, "choices": [choice], "usage": usage}).encode()
    return json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "small",
            "content": [{"type": "text", "text": text}],
            "stop_reason": stop or "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 10},
        }
    ).encode()


def sure(percent, text=ANSWER):
    """Return an answer with its line."""
    return f"{text}\n\nCONFIDENCE: {percent}"


def version(**options):
    """Store a cascade with these options; a second run finds the first one's row."""
    artifact = cascade.dumps(options)
    sha256 = hashlib.sha256(artifact).hexdigest()
    row, _ = RouterVersion.objects.get_or_create(
        name=f"cascade-{sha256[:8]}",
        defaults={"kind": cascade.KIND, "embedder": "", "artifact": artifact, "sha256": sha256},
    )
    return row
