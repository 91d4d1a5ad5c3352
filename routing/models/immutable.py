"""Rows that never change: refused in Python, and by a trigger in Postgres."""

from typing import Any

import pgtrigger
from django.db import models


def append_only(name: str = "append_only") -> pgtrigger.Trigger:
    """Return the trigger that refuses every UPDATE, bulk or by hand."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update)


class Immutable(models.Model):
    """A row written once. A correction is a new row."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row.

        Raises:
            TypeError: when the row is already stored.
        """
        if not self._state.adding:
            raise TypeError(f"{type(self).__name__} rows never change; write a new one.")
        super().save(*args, **kwargs)
