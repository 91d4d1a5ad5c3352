"""How often somebody may try what guesses could open.

Counted in Redis by the minute; with Redis away there is no limit (docs/adr/0011).
"""

from __future__ import annotations

import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError

from reviews.errors import TooOften

log = logging.getLogger(__name__)

_KEEP_S = 120


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
