"""Run a private Postgres and a private Valkey for a machine that has neither.

The process that starts a server owns it: the server is its child and ends with it, even after
kill -9. Every other process only connects, with a URL that follows from the root folder alone.
Nothing here imports Django, since all of it runs before there are settings. POSIX only.

Example:
    with Postgres(root) as postgres, Valkey(root):
        postgres.ensure_database()
        connection = psycopg.connect(postgres_url(root))
"""

from shadoweval.embedded.errors import EmbeddedError
from shadoweval.embedded.places import broker_url, postgres_url, redis_url
from shadoweval.embedded.postgres import Postgres
from shadoweval.embedded.valkey import Valkey

__all__ = [
    "EmbeddedError",
    "Postgres",
    "Valkey",
    "broker_url",
    "postgres_url",
    "redis_url",
]
