"""What can go wrong with one request.

RoutingError
├── RequestError            the client's fault; carries the HTTP status and the wire's error type
│   ├── InvalidRequest      400
│   ├── AuthenticationFailed 401
│   ├── PermissionDenied    403
│   ├── NotFound            404
│   ├── MethodNotAllowed    405
│   ├── TooSlow             408
│   ├── Conflict            409
│   ├── TooLarge            413
│   ├── RateLimited         429
│   │   └── Overloaded      429, or 529 where the API has it
│   └── ServiceUnavailable  503
├── ProviderError           the provider refused or failed; may carry its own reply
├── ProviderUnreachable     no answer came at all
│   ├── NotConnected        nobody was reached: nothing was asked
│   └── StrangeReply        one came, of a shape that is not known
├── ModelsMissing           an embedder's files are missing or damaged and cannot be built
└── RouterError             the router raised, was too slow, or gave no number in [0, 1]
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path


class RoutingError(Exception):
    """Root of the tree."""


@dataclass
class RequestError(RoutingError):
    """A request that cannot be served as it is; the message says what to do."""

    message: str
    status: int = 400
    kind: str = "invalid_request_error"

    def __str__(self) -> str:
        return self.message


class InvalidRequest(RequestError):
    """The body is not what the API asks for."""


class AuthenticationFailed(RequestError):
    """No key, a wrong key, or a revoked one."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 401, "authentication_error")


class PermissionDenied(RequestError):
    """A key that is good, but not for this."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 403, "permission_error")


class NotFound(RequestError):
    """A model or a route that does not exist here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 404, "not_found_error")


class MethodNotAllowed(RequestError):
    """A route that exists, asked with another method."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 405, "invalid_request_error")


class TooSlow(RequestError):
    """A body that does not arrive."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 408, "timeout_error")


class Conflict(RequestError):
    """Something else is under way that this would cross."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 409, "conflict_error")


class RateLimited(RequestError):
    """A key that asked too often, or spent what it may.

    Args:
        retry_after_s: seconds after which another attempt makes sense.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message, 429, "rate_limit_error")
        self.retry_after_s = retry_after_s


class Overloaded(RateLimited):
    """This process has too much to do; no key is at fault."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s)
        self.kind = "overloaded_error"


class TooLarge(RequestError):
    """A body over the limit."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 413, "request_too_large")


class ServiceUnavailable(RequestError):
    """This service cannot answer now; nothing the client sent is at fault.

    Args:
        retry_after_s: seconds after which another attempt makes sense, or None.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, 503, "api_error")
        self.retry_after_s = retry_after_s


class ModelsMissing(RoutingError):
    """An embedder's files are missing, damaged, or of another recipe; the message says which."""


class RouterError(RoutingError):
    """The router gave no usable score; the request goes to EXPENSIVE."""


class ProviderUnreachable(RoutingError):
    """The provider could not be reached, or broke off."""


class NotConnected(ProviderUnreachable):
    """No connection came about, so that nothing was asked and nothing is paid."""


class StrangeReply(ProviderUnreachable):
    """A reply of status 200 that is JSON, but not of the shape that can be read.

    Args:
        message: what was expected.
        body: the reply: a client of the same API may know more.
        headers: those that the client gets too.
    """

    def __init__(self, message: str, body: bytes, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.body = body
        self.headers = headers


class ProviderError(RoutingError):
    """The provider answered with an error of its own.

    Args:
        status: HTTP status of its reply.
        body: its reply, byte for byte, so that the client gets what the provider said.
        retry_after_s: seconds the provider asked to wait, or None.
        headers: its headers that the client gets too.
        content_type: of the body.
    """

    def __init__(
        self,
        status: int,
        body: bytes,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> None:
        super().__init__(f"provider answered {status}")
        self.status = status
        self.body = body
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        self.content_type = content_type

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.status in {408, 409, 429} or self.status >= 500


def place(error: Exception) -> str:
    """Return where it was raised; its text may hold what was asked."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def brief(error: Exception) -> str:
    """Return what the system says, such as "No space left on device", or the kind of error."""
    return getattr(error, "strerror", None) or type(error).__name__
