"""Store many rows like one that was served, so that cost can be compared by what is stored."""

from __future__ import annotations

from django.db import connection, models

_CHUNK = 50_000


def fill(project: models.Model, rows: int) -> int:
    """Copy the newest pair's rows until the project has so many requests; return how many it has.

    Ids are new, moments spread over 30 days. Triggers and checks stay on: every copy is a row that
    the service could have written.
    """
    from routing.models import Request, ShadowPair

    template = ShadowPair.objects.filter(project=project).latest("id").request_id
    have = Request.objects.filter(project=project).count()
    with connection.cursor() as cursor:
        while have < rows:
            have += _copy(cursor, template, min(_CHUNK, rows - have))
        cursor.execute("VACUUM ANALYZE")
    return have


def _copy(cursor, template, count: int) -> int:
    from routing.models import Completion, Decision, Request, ShadowJob, ShadowPair

    cursor.execute("DROP TABLE IF EXISTS bench_ids")
    cursor.execute(
        "CREATE TEMP TABLE bench_ids AS SELECT gen_random_uuid() AS id,"
        " now() - random() * interval '30 days' AS at FROM generate_series(1, %s)",
        [count],
    )
    moment = {"received_at": "n.at", "created_at": "n.at"}
    _insert(cursor, Request, "id", template, {**moment, "id": "n.id"})
    for model in (Decision, Completion, ShadowJob):
        _insert(cursor, model, "request_id", template, {**moment, "request_id": "n.id"})
    found = (
        "(SELECT c.id FROM {} c WHERE c.request_id = n.id AND c.tier = '{}')"
    ).format  # fmt: skip
    table = Completion._meta.db_table
    sides = {f"{tier}_id": found(table, tier) for tier in ("cheap", "expensive")}
    _insert(cursor, ShadowPair, "request_id", template, {**moment, "request_id": "n.id", **sides})
    return count


def _insert(cursor, model: type[models.Model], of: str, template, changed: dict[str, str]) -> None:
    """Copy the template's rows of a table once for each new id; numbers of rows are given anew."""
    table, auto = model._meta.db_table, models.AutoField | models.BigAutoField
    columns = [f.column for f in model._meta.local_concrete_fields if not isinstance(f, auto)]
    values = ", ".join(changed.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    cursor.execute(
        f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}" t, bench_ids n'
        f' WHERE t."{of}" = %s',
        [template],
    )
