"""What commands on judged queries have in common: their arguments, and errors in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from routing import collections
from routing.errors import ModelsMissing, RequestError
from routing.models import Collection, Project
from routing.retrieval.judgements import Qrels


def add_arguments(parser: CommandParser) -> None:
    """Name collection, judgements, their queries, project and ranks."""
    parser.add_argument("collection", help="its name, as requests call it")
    parser.add_argument(
        "qrels", type=Path,
        help='judged queries: lines {"qid", "query", "qrels": {document key: grade}}, or TREC',
    )  # fmt: skip
    parser.add_argument("--queries", type=Path, help="of TREC's judgements: qid<tab>query")
    parser.add_argument("--project", default="default", help="its slug (default)")
    parser.add_argument("--k", type=int, default=10, help="ranks that count (10)")


def read(options: dict[str, Any]) -> tuple[Collection, Qrels]:
    """Return what the arguments name."""
    if not 1 <= options["k"] <= 100:
        raise CommandError("--k is from 1 to 100.")
    project = Project.objects.filter(slug=options["project"]).first()
    if project is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True)) or "there is none yet"
        raise CommandError(f"Name a project by --project: {known}.")
    return collections.find(project, options["collection"]), Qrels.read(
        options["qrels"], options["queries"]
    )


@contextmanager
def in_sentences() -> Iterator[None]:
    """Say what went wrong without a traceback."""
    try:
        yield
    except RequestError as exc:
        raise CommandError(exc.message) from exc
    except (ValueError, ModelsMissing) as exc:
        raise CommandError(str(exc)) from exc
    except OSError as exc:
        raise CommandError(f"{exc.filename} cannot be read: {exc.strerror}.") from exc
    except DatabaseError as exc:
        sentence = f"The database is not ready ({type(exc).__name__}); start it with `make run`"
        raise CommandError(f"{sentence}.") from exc


@contextmanager
def bar(console: Console, title: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress; yields what to call with done and total."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        task = bars.add_task(title, total=None)

        def show(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield show
