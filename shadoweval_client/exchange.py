"""One call with its retries, without any input or output: two clients drive the same steps.

Every operation here may be repeated: `route` brings an idempotency key, feedback and imports are
idempotent by themselves, and the others only read.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx2

from shadoweval_client import errors

T = TypeVar("T")

#: Answered with these, a call may go well a little later.
_AGAIN = {408, 429, 500, 502, 503, 504, 529}
#: Who is told to wait longer decides that themselves.
_LONGEST_PAUSE_S = 30.0
_FIRST_PAUSE_S = 0.25


@dataclass(frozen=True)
class Call:
    """One HTTP request to make."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pause:
    """Seconds to let pass."""

    seconds: float


@dataclass(frozen=True)
class Done(Generic[T]):
    """The result; nothing more is to be done."""

    value: T


#: Yields what to do, is sent the response of a call, and returns the result.
Exchange = Generator[Call | Pause, "httpx2.Response | None", T]


#: The same, with the result as its last step: a coroutine cannot be told it by StopIteration.
Steps = Generator[Call | Pause | Done[T], "httpx2.Response | None", None]


def steps(exchange: Exchange[T]) -> Steps[T]:
    """Return what is to be done, `Done` last."""
    yield Done((yield from exchange))


def send(call: Call, retries: int) -> Exchange[httpx2.Response]:
    """Make the call until it succeeds, at most `retries` times more.

    Raises:
        Unreachable: when the last try got no reply.
        Refused: when the answer is an error that will not pass, or did not.
    """
    lost = False
    for tries in range(retries + 1):
        is_last = tries == retries
        try:
            response = yield call
        except httpx2.TransportError as exc:
            if is_last:
                raise errors.Unreachable(f"{call.method} {call.path}: {exc!r}") from exc
            lost, response = True, None
        if response is not None:
            if response.is_success:
                return response
            if is_last or not _may_pass(response, lost):
                raise errors.refused(response)
        yield Pause(_pause_s(response, tries))
    raise ValueError("retries cannot be negative")


def _may_pass(response: httpx2.Response, lost: bool) -> bool:
    """Tell whether the same call may go well within the longest pause."""
    told = errors.retry_after_s(response)
    # A try whose reply was lost may still be under way: it holds its idempotency key.
    passes = response.status_code in _AGAIN or (lost and response.status_code == 409)
    return passes and (told is None or told <= _LONGEST_PAUSE_S)


def _pause_s(response: httpx2.Response | None, tries: int) -> float:
    told = None if response is None else errors.retry_after_s(response)
    spread = random.uniform(0.5, 1.5)  # noqa: S311
    return _FIRST_PAUSE_S * 2**tries * spread if told is None else told
