"""Places in a list, newest first, as texts that a client sends back as they are."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from routing.errors import InvalidRequest


def of(at: datetime, name: object) -> str:
    """Return the place of a row: when it came, and what tells rows of one moment apart."""
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{name}".encode()).decode()


def read(cursor: str) -> tuple[datetime, str]:
    """Return the time and the name in a cursor.

    Raises:
        InvalidRequest: when it is none of ours.
    """
    try:
        time, _, name = base64.urlsafe_b64decode(cursor).decode("ascii").partition("|")
        return datetime.fromisoformat(time).astimezone(UTC), name
    except (ValueError, OverflowError) as exc:
        raise refusal() from exc


def refusal() -> InvalidRequest:
    """Return the error for a cursor that is none of ours."""
    return InvalidRequest("cursor: send the next_cursor of an earlier page as it is.")
