"""What can go wrong, one class for each thing that a caller would do differently.

ShadowevalError
├── Unreachable          no reply came: refused, lost, or too late
└── Refused              a reply came, and it says no
    ├── BadRequest       400: `errors` says which fields
    ├── NotAuthenticated 401: no good key
    ├── Forbidden        403: the key lacks a scope
    ├── NotFound         404
    ├── Conflict         409: other models, or the first request of a key is still answered
    ├── TooLarge         413
    ├── Limited          429, 529: `retry_after_s` says when
    └── Unavailable      5xx and 408
"""

from __future__ import annotations

from typing import Any

import httpx2


class ShadowevalError(Exception):
    """Anything this package raises about a call."""


class Unreachable(ShadowevalError):
    """No reply came; whether the call was carried out is not known, and it may be repeated."""


class Refused(ShadowevalError):
    """The service answered with an error.

    Attributes:
        status: HTTP status.
        detail: what is wrong, in a sentence.
        errors: `location` and `message` of each field that does not fit; mostly empty.
        request_id: what the service's log calls the call; "" when it names none.
        retry_after_s: seconds until it may go well; None when nobody said.
    """

    def __init__(self, response: httpx2.Response) -> None:
        problem = _problem(response)
        self.status = response.status_code
        self.detail: str = str(problem.get("detail") or response.reason_phrase)
        self.errors: list[dict[str, str]] = problem.get("errors") or []
        self.request_id = response.headers.get("x-shadoweval-request-id", "")
        self.retry_after_s = retry_after_s(response)
        super().__init__(f"{self.status}: {self.detail}")


class BadRequest(Refused):
    """The request does not fit."""


class NotAuthenticated(Refused):
    """The key is missing, unknown or revoked."""


class Forbidden(Refused):
    """The key lacks the scope."""


class NotFound(Refused):
    """It is not in the key's project."""


class Conflict(Refused):
    """It does not go together with what is there."""


class TooLarge(Refused):
    """The body is over the service's limit."""


class Limited(Refused):
    """Too many calls, or the day's money is spent."""


class Unavailable(Refused):
    """The service or the provider behind it cannot answer now."""


_BY_STATUS: dict[int, type[Refused]] = {
    400: BadRequest,
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    413: TooLarge,
    429: Limited,
    529: Limited,
}


def refused(response: httpx2.Response) -> Refused:
    """Return the error that a response is."""
    kind = Unavailable if response.status_code >= 500 else Refused
    return _BY_STATUS.get(response.status_code, kind)(response)


def retry_after_s(response: httpx2.Response) -> float | None:
    """Return what `retry-after` says in seconds; None without one, or with a date."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else None


def _problem(response: httpx2.Response) -> dict[str, Any]:
    """Return the problem details; a proxy in between may have sent a page instead."""
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
