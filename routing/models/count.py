"""Counts of stored rows, kept by triggers of the tables they count.

`routing.counts` reads them: a page that counts a million rows is as quick as one that counts ten.
"""

from __future__ import annotations

import pgtrigger
from django.db import models

#: Reasons are counted by what stands before their colon.
_WORD = "left(split_part(reason, ':', 1), 40)"
#: Marks our advisory locks; any number that nobody else uses.
_LOCKS = 0x5E4A
#: More than there are connections: one is always free.
_SHARDS = 512

_UPSERT = """
-- A shard that no other open transaction uses: writers never wait for each other, nor deadlock.
WHILE NOT pg_try_advisory_xact_lock({locks}, mine) LOOP
    mine := (mine + 1) % {shards};
END LOOP;
INSERT INTO routing_storedcount AS counted (project_id, subject, name, detail, shard, n)
SELECT project_id, '{subject}', name, detail, mine, sum(change) FROM ({changes}) AS changes
GROUP BY project_id, name, detail HAVING sum(change) <> 0
ON CONFLICT (project_id, subject, name, detail, shard) DO UPDATE SET n = counted.n + excluded.n;
RETURN NULL;
"""


class StoredCount(models.Model):
    """A part of one count: rows of a project, by subject, name and detail. Written by triggers.

    The count is the sum over the shards; one shard's part may be negative. Without a foreign key:
    the rows of a deleted project are counted down before it goes, and removed with it.
    """

    class Subject(models.TextChoices):
        #: By tier and reason.
        REQUEST = "request", "Requests decided"
        #: By state and the first words of the reason.
        JOB = "job", "Shadow jobs"
        PAIR = "pair", "Pairs"

    project_id = models.BigIntegerField()
    subject = models.CharField(max_length=10, choices=Subject)
    name = models.CharField(max_length=10, blank=True)
    detail = models.CharField(max_length=40, blank=True)
    shard = models.SmallIntegerField()
    n = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project_id", "subject", "name", "detail", "shard"], name="counted_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.n} of {self.subject} {self.name}"


def _changes(columns: str, sign: str, rows: str) -> str:
    return f"SELECT {columns}, {sign}1 AS change FROM {rows}"  # noqa: S608 - our own words only


def _counted(
    subject: str, columns: str, joined: str = "", *, with_updates: bool = False
) -> list[pgtrigger.Trigger]:
    """Return the triggers that count a table's rows; the new rows up, the old ones down."""
    up = _changes(columns, "+", f"new_rows AS r {joined}")
    down = _changes(columns, "-", f"old_rows AS r {joined}")
    new, old = {"new": "new_rows"}, {"old": "old_rows"}
    events = [("insert", pgtrigger.Insert, new, up), ("delete", pgtrigger.Delete, old, down)]
    if with_updates:
        events.append(("update", pgtrigger.Update, new | old, f"{up} UNION ALL {down}"))
    return [
        pgtrigger.Trigger(
            name=f"count_{name}",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=pgtrigger.Referencing(**tables),
            declare=[("mine", "smallint := 0")],
            func=_UPSERT.format(locks=_LOCKS, shards=_SHARDS, subject=subject, changes=changes),
        )
        for name, operation, tables, changes in events
    ]


def counted_decisions() -> list[pgtrigger.Trigger]:
    """Count decisions by tier and reason; their project is the policy's."""
    columns = "p.project_id, r.tier AS name, r.reason AS detail"
    return _counted("request", columns, "JOIN routing_policy AS p ON p.id = r.policy_id")


def counted_jobs() -> list[pgtrigger.Trigger]:
    """Count shadow jobs by state and reason, as they move through their states."""
    columns = f"r.project_id, r.state AS name, {_WORD} AS detail"
    return _counted("job", columns, with_updates=True)


def counted_pairs() -> list[pgtrigger.Trigger]:
    """Count pairs."""
    return _counted("pair", "r.project_id, '' AS name, '' AS detail")


def uncounted_project() -> pgtrigger.Trigger:
    """Remove what was counted of a project that is deleted."""
    return pgtrigger.Trigger(
        name="uncount",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Delete,
        referencing=pgtrigger.Referencing(old="old_rows"),
        func="""
            DELETE FROM routing_storedcount WHERE project_id IN (SELECT id FROM old_rows);
            RETURN NULL;
        """,
    )
