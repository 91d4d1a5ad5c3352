"""Times that clients send, as Postgres takes them."""

from datetime import MAXYEAR, UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

_FIRST, _LAST = (edge.replace(tzinfo=UTC) for edge in (datetime.min, datetime.max))


def _in_utc(value: datetime) -> datetime:
    """Return the same moment in UTC, since Postgres refuses offsets of 16 hours and more.

    Beyond the first and the last year it is the edge of time.
    """
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return _LAST if value.year == MAXYEAR else _FIRST


#: A time with an offset, in UTC.
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
