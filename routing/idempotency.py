"""Idempotency keys: a repeated key gets the first reply, and no second call is made.

The first request under a key owns it; others wait for its reply. Only a reply of status 200 that
went out whole is kept, for a day; anything else frees the key, so that a retry is a real one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from routing.errors import Conflict, InvalidRequest
from routing.shared import PREFIX, shared

_KEEP_S = 86_400
_POLL_S = 0.1
_LONGEST_KEY = 255
#: Larger replies are not kept: Redis would have to hold them for a day.
_MOST_BYTES = 8_000_000


@dataclass(frozen=True)
class Kept:
    """A reply as it went out."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Claim:
    """The right to answer under a key; exactly one of `keep` and `free` must follow."""

    name: str
    digest: str

    async def keep(self, kept: Kept) -> None:
        """Keep the reply for those who ask again; one that cannot be kept frees the key."""
        if kept.status != 200 or len(kept.body) > _MOST_BYTES:
            await self.free()
            return
        head = {"digest": self.digest, "status": kept.status, "headers": kept.headers}
        value = json.dumps(head).encode() + b"\n" + kept.body
        await shared.ask(lambda redis: redis.set(self.name, value, ex=_KEEP_S), None)

    async def free(self) -> None:
        """Give the key back."""
        await shared.ask(lambda redis: redis.delete(self.name), None)


async def claim(key_id: int, path: str, key: str, body: bytes) -> Claim | Kept | None:
    """Return the right to answer, the reply that was given before, or None with Redis away.

    Waits while another request with the same key is being answered.

    Raises:
        InvalidRequest: when the key is too long, or came with another body before.
        Conflict: when the other request takes longer than any may.
    """
    if not 0 < len(key) <= _LONGEST_KEY:
        raise InvalidRequest(f"idempotency-key: must have 1 to {_LONGEST_KEY} characters")
    name = f"{PREFIX}:idempotency:{key_id}:{_sha256(f'{path} {key}'.encode(errors='replace'))}"
    mine = Claim(name, _sha256(body))
    limit_s = settings.SHADOWEVAL_PROVIDER_TIMEOUT_S + 60
    running = json.dumps({"digest": mine.digest}).encode()
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        taken: Any = await shared.ask(
            lambda redis: redis.set(name, running, nx=True, ex=int(limit_s), get=True), b""
        )
        if taken is None:
            return mine
        if taken == b"":
            return None
        head, _, kept_body = taken.partition(b"\n")
        said = json.loads(head)
        if said["digest"] != mine.digest:
            raise InvalidRequest("idempotency-key: was used with another body before")
        if "status" in said:
            return Kept(said["status"], said["headers"], kept_body)
        await asyncio.sleep(_POLL_S)
    raise Conflict("The first request with this idempotency-key is still being answered.")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
