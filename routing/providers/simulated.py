"""Stands in when no provider key is set: real shapes, invented answers, and it says so.

The answers differ between the tiers by a hash only, so that nobody can learn a tier's style.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Any

from routing.types import Reply, TierSpec, Usage
from routing.wire.body import last_user_text

NOTICE = "*Simulated answer: no model was asked.*"
_OPENINGS = (
    "A short answer would stand here.",
    "Here a reply to the question would follow.",
    "This place would hold the answer.",
    "An answer in a few sentences would come here.",
)
_CLOSINGS = (
    "It would name one example.",
    "It would end with the next step to take.",
    "It would give the reason in one line.",
    "It would point out one exception.",
)


def _message(spec: TierSpec, payload: dict[str, Any]) -> dict[str, Any]:
    query = last_user_text(payload["messages"])
    draw = hashlib.sha256(f"{spec.model}|{query}".encode(errors="replace")).digest()
    asked = " ".join(query.split())[:120]
    opening, closing = _OPENINGS[draw[0] % 4], _CLOSINGS[draw[1] % 4]
    text = f"{NOTICE}\n\n{opening} You wrote: \u201c{asked}\u201d\n\n{closing}"
    return {
        "id": f"msg_sim_{draw.hex()[:20]}",
        "type": "message",
        "role": "assistant",
        "model": spec.model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": len(json.dumps(payload["messages"])) // 4 + 1,
            "output_tokens": len(text) // 4,
        },
    }


class SimulatedProvider:
    """Answers at once, offline."""

    async def send(
        self, spec: TierSpec, payload: dict[str, Any], headers: dict[str, str], timeout_s: float
    ) -> Reply:
        """Return an invented message after a moment."""
        await asyncio.sleep(0.02)
        return self.ask(spec, payload, headers, timeout_s)

    def ask(
        self, spec: TierSpec, payload: dict[str, Any], headers: dict[str, str], timeout_s: float
    ) -> Reply:
        """Return an invented message."""
        start = time.perf_counter()
        message = _message(spec, payload)
        usage = message["usage"]
        return Reply(
            body=json.dumps(message).encode(),
            text=message["content"][0]["text"],
            model=spec.model,
            stop_reason="end_turn",
            usage=Usage(usage["input_tokens"], usage["output_tokens"]),
            latency_ms=(time.perf_counter() - start) * 1000,
        )

    async def close(self) -> None:
        """Nothing is open."""
