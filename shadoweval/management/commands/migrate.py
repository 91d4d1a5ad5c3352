"""Django's `migrate`, which begins again where the service's own transactions were in its way."""

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

_TRIES, _PAUSE_S = 20, 1.0


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate; a migration that was ended by a deadlock left nothing, and is done anew."""
        for left in reversed(range(_TRIES)):
            try:
                super().handle(*args, **options)
                break
            except OperationalError as exc:
                if not left or not isinstance(exc.__cause__, DeadlockDetected):
                    raise
                self.stderr.write("The service was in the way of a migration: it begins again.")
                time.sleep(_PAUSE_S)
