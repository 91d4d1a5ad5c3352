"""Train a router on a project's labels."""

import time
from argparse import RawDescriptionHelpFormatter
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from reviews import cards, training
from reviews.errors import ReviewError
from reviews.models import TrainingRun
from routing import routers
from routing.models import Project

_POLL_S = 0.5
_UNKNOWN = "not enough labels"


class Command(BaseCommand):
    """`manage.py train --project P --kind K [--sources human,judge] [--seed N] [--wait]`."""

    help = (
        "Fit a router on a project's labels and print its card. It decides nothing until a\n"
        "sign-off on its own evidence makes it live."
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--list-kinds", action="store_true", help="say what can be trained")
        parser.add_argument("--project", help="its slug, as in addresses")
        parser.add_argument("--kind", default="two-heads", help="of router (two-heads)")
        parser.add_argument("--name", default="", help="of the version (kind and day)")
        parser.add_argument(
            "--sources", default=",".join(training.SOURCES), help="of labels, with commas"
        )
        parser.add_argument("--tasks", default="", help="task types, with commas (all)")
        parser.add_argument("--since", help="labels of requests since this day, like 2026-01-31")
        parser.add_argument("--until", help="labels of requests before this day")
        parser.add_argument("--most", help="labels at most, people's first")
        parser.add_argument("--embedder", help="minilm or static (as SHADOWEVAL_EMBEDDER says)")
        parser.add_argument("--seed", default="7", help="of folds and fit (7)")
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--now", action="store_true", help="train in this process (the default)")
        where.add_argument("--wait", action="store_true", help="let the service's trainer do it")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=cast("IO[str]", self.stdout))
        if options["list_kinds"]:
            console.print(_kinds())
            return
        try:
            run = _ask(options)
            _follow(console, run, is_ours=not options["wait"])
        except ReviewError as exc:
            raise CommandError(str(exc)) from exc
        except DatabaseError as exc:
            sentence = f"The database is not ready ({type(exc).__name__}); start it with `make run`"
            raise CommandError(f"{sentence}.") from exc
        if run.state != TrainingRun.State.DONE or run.router is None:
            raise CommandError(run.error or f"The training was {run.get_state_display().lower()}.")
        console.print(cards.sentence(run.router.card))
        console.print(_card(run.router.name, run.router.card))
        self.stdout.write("Not deployed: it needs its own evidence and sign-off.")
        self.stdout.write(f"See {settings.PUBLIC_URL}/routers/{run.router.pk}/")


def _ask(options: dict[str, Any]) -> TrainingRun:
    project = Project.objects.filter(slug=options["project"] or "").first()
    if project is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True))
        raise CommandError(f"Name a project by --project: {known or 'there is none yet'}.")
    said = {name: options[name] for name in ("since", "until", "most", "embedder", "seed")}
    chosen = {name: value for name, value in said.items() if value is not None}
    chosen |= {name: _listed(options[name]) for name in ("sources", "tasks")}
    return training.ask(project, kind=options["kind"], name=options["name"], options=chosen)


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _follow(console: Console, run: TrainingRun, is_ours: bool) -> None:
    """Show a run's progress until it ends, working on it here or watching the trainer."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        task = bars.add_task("Waiting", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bars.update(task, description=stage, completed=done, total=total or None)

        if is_ours:
            if not training.claim(run):
                raise CommandError(
                    f"Another training of this project is under way; “{run.name}” comes after it."
                )
            training.work(run, show)
            run.refresh_from_db()
            return
        while run.state in TrainingRun.OPEN:
            show(run.stage or run.get_state_display(), run.done, run.total)
            time.sleep(_POLL_S)
            run.refresh_from_db()


def _kinds() -> Table:
    table = Table("Kind", "What it is", "When to use it", "What it costs", title="Trained kinds")
    for name, kind in training.trained_kinds().items():
        table.add_row(name, kind.what, kind.when, kind.cost)
    others = sorted(set(routers.kinds()) - set(training.trained_kinds()))
    table.caption = f"Made without labels: {', '.join(others)}"
    return table


def _card(name: str, card: dict[str, Any]) -> Table:
    """Return a card's figures, never a text."""
    table = Table("", "Value", "95 % interval", title=f"Card of {name}")
    by_source = ", ".join(f"{n} {source}" for source, n in card["labels"].items())
    table.add_row("Labels", f"{card['n']:,} ({by_source})", "")
    table.add_row("Needed the expensive model", f"{card['positives']:,}", "")
    for key, title in (
        ("auroc", "AUROC"), ("brier", "Brier"), ("skill", "Brier skill"), ("apgr", "APGR"),
        ("random_apgr", "APGR of a coin"), ("cpt50", "CPT(50)"), ("cpt80", "CPT(80)"),
    ):  # fmt: skip
        table.add_row(title, *_estimate(card[key]))
    table.add_row("APGR of an oracle", _number(card["oracle_apgr"]), "")
    table.add_row("Latency p50, p99", f"{card['p50_ms'] or 0:.2f} ms, {card['p99_ms'] or 0:.2f} ms")
    table.add_row("Would switch", _switching(card["differences"]), "")
    table.add_row("Calibration", card["calibration"], "")
    table.add_row("Seed, training hash", f"{card['seed']}, {card['training_sha256'][:12]}", "")
    return table


def _estimate(found: dict[str, float] | None) -> tuple[str, str]:
    if found is None:
        return _UNKNOWN, ""
    return _number(found["value"]), f"{found['low']:.3f} to {found['high']:.3f}"


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.3f}"


def _switching(found: dict[str, Any] | None) -> str:
    if found is None or found["switched"] is None:
        return "not known" if found is None else found["why"]
    where = ", each router at its median score" if found["at_medians"] else ""
    return f"{found['switched']:,} of {found['n']:,} recorded requests{where}"
