"""The list of a project's pairs, page by page from where the last one ended."""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from reviews.models import Verdict
from routing.models import Project, ShadowPair

SIZE = 25
_MOST_TASKS = 200

# One look into the index a task; DISTINCT would read every pair.
_TASKS = """
WITH RECURSIVE tasks AS (
    (SELECT task FROM routing_shadowpair WHERE project_id = %(project)s ORDER BY task LIMIT 1)
    UNION ALL
    SELECT (SELECT task FROM routing_shadowpair AS pair
            WHERE project_id = %(project)s AND pair.task > tasks.task ORDER BY task LIMIT 1)
    FROM tasks WHERE tasks.task IS NOT NULL
)
SELECT task FROM tasks WHERE task IS NOT NULL LIMIT %(most)s
"""


class Page(NamedTuple):
    """Some pairs, newest first, and the numbers from which its neighbours go on; None at an end."""

    rows: list[ShadowPair]
    newer_than: int | None
    older_than: int | None


def page(project: Project | None, task: str = "", *, before: str = "", after: str = "") -> Page:
    """Return the pairs just below the number `before`, or just above `after`, or the newest.

    What is no number is none given: addresses are typed by hand, too.
    """
    rows = ShadowPair.objects.filter(project=project)
    rows = rows.filter(task=task) if task else rows
    below, above = _number(before), _number(after)
    if below is None and above is not None:
        found = list(_shown(rows.filter(id__gt=above).order_by("id"))[: SIZE + 1])
        shown = found[:SIZE][::-1]
        is_first, is_last = len(found) <= SIZE, False
    else:
        older = rows if below is None else rows.filter(id__lt=below)
        found = list(_shown(older.order_by("-id"))[: SIZE + 1])
        shown = found[:SIZE]
        is_first, is_last = below is None, len(found) <= SIZE
    first, last = (shown[0].pk, shown[-1].pk) if shown else (None, None)
    return Page(shown, None if is_first else first, None if is_last else last)


def tasks(project: Project | None) -> list[str]:
    """Return the task types that the project's pairs have."""
    with connection.cursor() as cursor:
        cursor.execute(_TASKS, {"project": project.pk if project else None, "most": _MOST_TASKS})
        return [task for (task,) in cursor.fetchall()]


def _shown(rows: QuerySet[ShadowPair]) -> QuerySet[ShadowPair]:
    """Return the rows with what the list shows, and nothing as large as an answer."""
    said = Verdict.objects.filter(pair=OuterRef("pk")).order_by().values("pair")
    n_verdicts = Coalesce(Subquery(said.annotate(n=Count("pk")).values("n")), 0)
    columns = ("task", "score", "request__received_at", "request__query")
    return rows.select_related("request").only(*columns).annotate(n_verdicts=n_verdicts)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 19 else None
