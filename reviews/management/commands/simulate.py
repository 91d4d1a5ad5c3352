"""Play simulated years through the monitors."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import IO, Any, cast

import numpy as np
from django.core.management.base import BaseCommand, CommandParser, OutputWrapper
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table
from threadpoolctl import threadpool_limits

from reviews.stats import trial, year
from reviews.stats.trial import Planted, Stationary
from reviews.stats.year import World


class Command(BaseCommand):
    """`manage.py simulate [--years N] [--first N] [--judged SHARE]`."""

    help = "Play simulated years through the monitors: false alarms, and days to find each drift."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--years", type=_count, default=4, help="years of each kind")
        parser.add_argument("--first", type=int, default=0, help="seed of the first year")
        parser.add_argument(
            "--judged", type=_share, default=year.USUAL.judged,
            help="share of the cheap-routed requests that a judge sees after go-live",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        console = _console(self.stdout)
        seeds = range(options["first"], options["first"] + options["years"])
        quiet, found = _play(console, seeds, replace(year.USUAL, judged=options["judged"]))
        console.print(_table(found))
        self.stdout.write(_sentence(quiet))


def _console(stream: OutputWrapper) -> Console:
    """Return a console that may write parts of lines, as bars do: Django's stream ends each."""
    return Console(file=cast("IO[str]", stream._out))


def _count(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(value)
    return number


def _share(value: str) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError(value)
    return share


def _play(console: Console, seeds: range, usual: World) -> tuple[Stationary, list[Planted]]:
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    pool = ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _alone)
    with pool, Progress(*columns, console=console) as bars:
        task = bars.add_task("Years", total=len(seeds) * (len(year.DRIFTS) + 1))

        def each(play: Callable[[int], Any], seeds: Sequence[int]) -> Iterator[Any]:
            for one in pool.map(play, seeds):
                bars.advance(task)
                yield one

        found = [trial.planted(name, seeds, each, usual) for name in year.DRIFTS]
        return trial.stationary(seeds, each, usual=usual), found


def _alone() -> None:
    """Use one thread a process: each fit is small, more would only wait for each other."""
    threadpool_limits(1)


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
