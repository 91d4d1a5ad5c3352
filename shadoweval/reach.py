"""Whether the database can be reached, in one sentence."""

import psycopg
from django.conf import settings

_CONNECT_TIMEOUT_S = 5


def database_problem() -> str:
    """Return why the database cannot be used, or "" when it can.

    The pool only says that it waited in vain; one plain connection says what the server answered.
    """
    try:
        psycopg.connect(settings.DATABASE_URL, connect_timeout=_CONNECT_TIMEOUT_S).close()
    except psycopg.Error as exc:
        return next(iter(str(exc).strip().splitlines()), type(exc).__name__)
    return ""
