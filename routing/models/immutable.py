"""Rows that never change: refused in Python, and by a trigger in Postgres."""

from typing import Any

import pgtrigger
from django.db import models


def append_only(name: str = "append_only", *, but: str = "") -> pgtrigger.Trigger:
    """Return the trigger that refuses every UPDATE, bulk or by hand.

    Args:
        name: of the trigger.
        but: a column that may change, such as who wrote it, when that account is deleted.
    """
    condition = pgtrigger.AnyChange(exclude=[but]) if but else None
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update, condition=condition)


def kept_with(**parents: str) -> pgtrigger.Trigger:
    """Return the trigger that refuses a DELETE while all the row belongs to is still there.

    It looks at the end of the transaction: a cascade deletes rows before what they belong to.

    Args:
        parents: table by column; where one of the rows named is gone, this one may go.
    """
    remains = " AND ".join(
        f"EXISTS (SELECT FROM {table} WHERE id = OLD.{column})" for column, table in parents.items()
    )
    return pgtrigger.Trigger(
        name="kept",
        operation=pgtrigger.Delete,
        when=pgtrigger.After,
        timing=pgtrigger.Deferred,
        func=f"IF {remains} THEN RAISE EXCEPTION 'Rows of % stay as long as what they belong to.',"
        " TG_TABLE_NAME; END IF; RETURN NULL;",
    )


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
