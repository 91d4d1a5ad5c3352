"""Idempotency keys: a repeated key gets the first reply, and no second call is made.

The first request under a key owns it; others wait for its reply. Only a reply of status 200 that
went out whole is kept, for a day; anything else frees the key, so that a retry is a real one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from routing.errors import Conflict, InvalidRequest
from routing.shared import PREFIX, shared

if TYPE_CHECKING:
    from redis import Redis

_KEEP_S = 86_400
#: A claim that nobody renews, since its process died, is free after this.
_HELD_S = 30
_TRIES = 10
_POLL_S, _LONGEST_POLL_S = 0.05, 1.0
_LONGEST_KEY = 255
#: Larger replies are not kept: Redis would have to hold them for a day.
MOST_BYTES = 8_000_000
_RENEW = """
if redis.call("get", KEYS[1]) == ARGV[1] then redis.call("expire", KEYS[1], ARGV[2]) end
return 1
"""
#: Compare and set, or delete: a claim that was lost meanwhile is another's.
_REPLACE = """
if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == "" then return redis.call("del", KEYS[1]) end
redis.call("set", KEYS[1], ARGV[2], "EX", ARGV[3])
return 1
"""


@dataclass(frozen=True)
class Kept:
    """A reply as it went out, and the hash of the end user that it was for."""

    status: int
    headers: dict[str, str]
    body: bytes
    end_user: str = ""


@dataclass(frozen=True)
class Claim:
    """The right to answer under a key, renewed by `hold` until `keep` or `free`."""

    name: str
    running: bytes
    digest: str

    async def hold(self) -> None:
        """Renew the claim until cancelled; one whose process died is free soon after."""
        while True:
            await asyncio.sleep(_HELD_S / 3)
            unknown: Any = None
            await shared.ask(
                lambda redis: redis.eval(_RENEW, 1, self.name, self.running, str(_HELD_S)), unknown
            )

    async def keep(self, kept: Kept) -> None:
        """Keep the reply for those who ask again; one that cannot be kept frees the key."""
        if kept.status != 200 or len(kept.body) > MOST_BYTES:
            await self.free()
            return
        head = {
            "digest": self.digest,
            "status": kept.status,
            "headers": kept.headers,
            "end_user": kept.end_user,
        }
        await self._replace(json.dumps(head).encode() + b"\n" + kept.body)

    async def free(self) -> None:
        """Give the key back."""
        await self._replace(b"")

    async def _replace(self, value: bytes) -> None:
        """Put a value in the claim's place, or nothing; only its owner may."""
        for _ in range(_TRIES):
            told: Any = await shared.ask(
                lambda redis: redis.eval(_REPLACE, 1, self.name, self.running, value, str(_KEEP_S)),
                None,
            )
            if told is not None:
                return
            await asyncio.sleep(shared.PAUSE_S)


async def claim(key_id: int, key: str, asked: bytes) -> Claim | Kept | None:
    """Return the right to answer, the reply that was given before, or None with Redis away.

    Waits while another request with the same key is being answered.

    Args:
        key_id: the API key: two clients may use the same words.
        key: the idempotency key.
        asked: everything that the reply depends on.

    Raises:
        InvalidRequest: when the key is too long, or came with another request before.
        Conflict: when the other request takes longer than any may.
    """
    if not 0 < len(key) <= _LONGEST_KEY:
        raise InvalidRequest(f"idempotency-key: must have 1 to {_LONGEST_KEY} characters")
    name = f"{PREFIX}:idempotency:{key_id}:{_sha256(key.encode(errors='replace'))}"
    digest = _sha256(asked)
    running = json.dumps({"digest": digest, "owner": secrets.token_hex(16)}).encode()
    wait_s, end = _POLL_S, time.monotonic() + settings.SHADOWEVAL_PROVIDER_TIMEOUT_S + 60
    while time.monotonic() < end:
        taken: Any = await shared.ask(
            lambda redis: redis.set(name, running, nx=True, ex=_HELD_S, get=True), b""
        )
        if taken is None:
            return Claim(name, running, digest)
        if taken == b"":
            return None
        head, _, kept_body = taken.partition(b"\n")
        said = json.loads(head)
        if said["digest"] != digest:
            raise InvalidRequest("idempotency-key: was used with another request before")
        if "status" in said:
            return Kept(said["status"], said["headers"], kept_body)
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 1.5, _LONGEST_POLL_S)
    raise Conflict("The first request with this idempotency-key is still being answered.")


def forget(redis: Redis, key_id: int, end_user: str) -> int:
    """Delete the replies that an API key got for an end user, named by their hash; blocking."""
    n = 0
    for name in redis.scan_iter(f"{PREFIX}:idempotency:{key_id}:*"):
        head, _, _ = cast("bytes", redis.get(name) or b"").partition(b"\n")
        if head and json.loads(head).get("end_user") == end_user:
            n += redis.delete(name)
    return n


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
