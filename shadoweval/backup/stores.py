"""The database for a command that may run while the service does not."""

import contextlib
from collections.abc import Iterator

from django.conf import settings
from django.db import connections

from shadoweval import embedded, reach
from shadoweval.backup.errors import BackupError


@contextlib.contextmanager
def database() -> Iterator[None]:
    """Make sure that the database answers; the private one is started for as long if it must be.

    Raises:
        BackupError: it does not answer; the message says why.
        EmbeddedError: the private one cannot be started.
    """
    problem = reach.database_problem()
    if not problem:
        yield
    elif settings.EMBEDDED_POSTGRES:
        with embedded.Postgres(settings.POSTGRES_DIR) as postgres:
            postgres.ensure_database()
            try:
                yield
            finally:
                connections.close_all()
    else:
        raise BackupError(f"The database cannot be used: {problem}.")
