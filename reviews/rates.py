"""How often somebody may try what guesses could open.

Counted in Redis by the minute; with Redis away there is no limit (docs/adr/0011).
"""

from __future__ import annotations

import hashlib
import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError

from reviews.errors import TooOften

log = logging.getLogger(__name__)

_KEEP_S = 120
#: How long wrong passwords are remembered.
_LOGIN_S = 900


def check(what: str, who: str, per_minute: int) -> None:
    """Count one try.

    Raises:
        TooOften: when there were more in this minute.
    """
    if _count(f"tries:{what}:{who}:{int(time.time() // 60)}") > per_minute:
        raise TooOften("Too many tries from here; wait a minute.")


def _count(name: str) -> int:
    try:
        cache.add(name, 0, _KEEP_S)
        return int(cache.incr(name))
    except (RedisError, ValueError) as exc:
        log.warning("tries are not counted: %s", type(exc).__name__)
        return 0


def check_log_in(name: str, address: str, most: int) -> None:
    """Refuse somebody who was wrong too often under one name from one address.

    Others at that address, and that person elsewhere, go on.

    Raises:
        TooOften: whatever the password is now.
    """
    try:
        wrong = int(cache.get(_log_in(name, address)) or 0)
    except RedisError as exc:
        log.warning("wrong passwords are not counted: %s", type(exc).__name__)
        return
    if wrong >= most:
        raise TooOften("Too many wrong passwords for this name from here; wait 15 minutes.")


def count_wrong(name: str, address: str) -> None:
    """Count a wrong password."""
    place = _log_in(name, address)
    try:
        cache.add(place, 0, _LOGIN_S)
        wrong = cache.incr(place)
    except (RedisError, ValueError) as exc:
        log.warning("wrong passwords are not counted: %s", type(exc).__name__)
        return
    log.warning("a wrong password, %d so far for one name from one address", wrong)


def forget_wrong(name: str, address: str) -> None:
    """Begin anew: the password was right."""
    try:
        cache.delete(_log_in(name, address))
    except RedisError as exc:
        log.warning("wrong passwords are not forgotten: %s", type(exc).__name__)


def _log_in(name: str, address: str) -> str:
    who = hashlib.sha256(f"{name.strip().casefold()}|{address}".encode(errors="replace"))
    return f"wrong:{who.hexdigest()}"
