"""Replay a file of recorded answers."""

from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from reviews import recordings, replay


class Command(BaseCommand):
    """`manage.py replay FILE [--url URL] [--limit N] [--concurrency N]`."""

    help = "Send recorded answers through the running service and import their labels."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="JSON lines, may be gzipped")
        parser.add_argument("--url", default=settings.PUBLIC_URL, help="where the service runs")
        parser.add_argument("--limit", type=_count, help="send the first N queries only")
        parser.add_argument("--concurrency", type=_count, default=8, help="queries at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=cast("IO[str]", self.stdout))
        url = options["url"].rstrip("/")
        try:
            result = _run(console, url, options)
        except recordings.ReplayError as exc:
            raise CommandError(str(exc)) from exc
        except DatabaseError as exc:
            sentence = f"The database is not ready ({type(exc).__name__}); start it with `make run`"
            raise CommandError(f"{sentence}.") from exc
        console.print(_table(result))
        self.stdout.write(f"See {url}/threshold/?project={result.slug}")
        if not result.complete:
            raise CommandError("Not every query was answered and paired; the table says why.")


def _count(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(value)
    return number


def _run(console: Console, url: str, options: dict[str, Any]) -> replay.Result:
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {name: bars.add_task(name, total=None) for name in ("Queries", "Pairs")}

        def show(name: str) -> replay.Progress:
            return lambda done, total: bars.update(tasks[name], completed=done, total=total)

        return replay.run(
            options["file"],
            url=url,
            limit=options["limit"],
            workers=options["concurrency"],
            on_sent=show("Queries"),
            on_paired=show("Pairs"),
        )


def _table(result: replay.Result) -> Table:
    """Return the counts: never a query or an answer."""
    table = Table("", "Count", title=f"Replay {result.slug}")
    rows: list[tuple[str, int]] = [("Queries", len(result.content.rows))]
    rows += [(f"Rows left out {why}", n) for why, n in result.content.skipped.items()]
    rows += [("Answered", len(result.sent.by_id))]
    rows += [(f"Failed: {kind}", n) for kind, n in result.sent.failures.items()]
    rows += [("Requests recorded", result.recorded), ("Pairs", result.pairs)]
    rows += [(f"Shadow jobs {state}", n) for state, n in result.jobs.items()]
    rows += [(f"Verdicts: {kind}", n) for kind, n in result.verdicts.items()]
    rows += [("Labels not imported", result.not_imported)]
    for name, count in rows:
        table.add_row(name, f"{count:,}")
    return table
