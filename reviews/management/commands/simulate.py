"""Play simulated years through the monitors."""

from typing import IO, Any, cast

import numpy as np
from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table
from threadpoolctl import threadpool_limits

from reviews.stats import trial, year
from reviews.stats.trial import Planted, Stationary


class Command(BaseCommand):
    """`manage.py simulate [--years N] [--first N]`."""

    help = "Play simulated years through the monitors: false alarms, and days to find each drift."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--years", type=_count, default=4, help="years of each kind")
        parser.add_argument("--first", type=int, default=0, help="seed of the first year")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=cast("IO[str]", self.stdout))
        seeds = range(options["first"], options["first"] + options["years"])
        with threadpool_limits(1):  # each fit is small: more threads only wait for each other
            quiet, found = _play(console, seeds)
        console.print(_table(found))
        self.stdout.write(_sentence(quiet))


def _count(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(value)
    return number


def _play(console: Console, seeds: range) -> tuple[Stationary, list[Planted]]:
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("Years", total=len(seeds) * (len(year.DRIFTS) + 1))

        def tell() -> None:
            bars.advance(task)

        found = [trial.planted(name, seeds, tell) for name in year.DRIFTS]
        return trial.stationary(seeds, tell), found


def _table(found: list[Planted]) -> Table:
    table = Table("Drift", "Median days", "Most", "Missed", "First seen by", title="Planted drifts")
    for one in found:
        said = one.days[~np.isnan(one.days)]
        median, most = (f"{f(said):g}" if said.size else "" for f in (np.median, np.max))
        first = ", ".join(f"{name} {n}" for name, n in one.first.items())
        missed = int(np.isnan(one.days).sum())
        table.add_row(year.DRIFTS[one.drift][0], median, most, str(missed), first)
    return table


def _sentence(quiet: Stationary) -> str:
    rang = ", ".join(f"{name} {n}" for name, n in quiet.by_monitor.items()) or "none"
    return (
        f"Stationary years: {quiet.years}. Alarms and warnings a year over all monitors together: "
        f"{quiet.per_year:.2f} ({rang}; {quiet.alarms} opened as alarms)."
    )
