"""Which router is best, on recorded answers of two models whose quality is known?

Five folds by a hash of the query: each query is scored by a router that was fit without it.
Intervals are 95 %, by drawing pairs; p50 is CPU time of one query nobody asked before, embedding
included. Rows that RouteLLM calls contaminated are left out.
Run: .venv/bin/python -m benchmarks.routers [--quick] [--sets ...] [--kinds ...] [--folder ...]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import routers_data

KINDS = ("two-heads", "rules+embedding-logistic", "knn", "matrix-factorization", "random")
CALLS = 100
#: RouteLLM (arXiv 2406.18665v4, tables 1 to 3): each table's best routers, as printed.
PUBLISHED = {
    "MMLU": (
        ("SW ranking, arena + gold", ".603", ".354", ".716"),
        ("causal LLM, arena + gold", ".600", ".355", ".703"),
        ("MF, arena + gold", ".597", ".355", ".714"),
        ("MF, arena", ".524", ".450", ".769"),
    ),
    "GSM8K": (
        ("causal LLM, arena + judge", ".622", ".336", ".633"),
        ("MF, arena + judge", ".565", ".388", ".726"),
        ("MF, arena", ".475", ".536", ".852"),
    ),
    "MT-Bench": (
        ("MF, arena + judge", ".802", ".134", ".313"),
        ("SW ranking, arena + judge", ".759", ".232", ".360"),
        ("MF, arena", ".580", ".253", ".743"),
    ),
}


def lines_of(data, kind: str, resamples: int) -> Iterator[tuple[str, ...]]:
    """Yield one line of the table: router, AUROC, APGR, CPT50, CPT80, p50."""
    try:
        folds = data.folds()
        scores = routers_data.held_out(kind, data, folds)
    except ValueError as exc:
        yield kind, str(exc), "", "", "", ""
        return
    yield kind, *figures(data, scores, resamples), taken(kind, data, folds)


def figures(data, scores, resamples: int) -> tuple[str, str, str, str]:
    from reviews.stats import routers, tradeoff

    weight, needs = np.ones(scores.size), (1 - data.cheap) * data.expensive
    rng = np.random.default_rng(routers_data.SEED)
    quality = routers.quality(scores, needs, weight, rng, resamples=resamples)
    found = tradeoff.measured(scores, data.cheap, data.expensive, weight, rng, resamples=resamples)
    return tuple(map(told, (quality.auroc, found.apgr, found.cpt[0.5], found.cpt[0.8])))


def references(data, resamples: int) -> Iterator[tuple[str, ...]]:
    """Yield what luck gives, what knowing both answers gives, and what others published."""
    from reviews.stats import tradeoff

    gain, rng = data.expensive - data.cheap, np.random.default_rng(routers_data.SEED)
    best = tradeoff.measured(
        gain, data.cheap, data.expensive, np.ones(gain.size), rng, resamples=resamples
    )
    luck = best.random
    yield "coin", ".500", *map(told, (luck.apgr, luck.cpt[0.5], luck.cpt[0.8])), ""
    oracle = f"{best.oracle_apgr:.3f}"
    yield "oracle", "", oracle, f"{best.cpt[0.5].value:.3f}", f"{best.cpt[0.8].value:.3f}", ""
    for name, *values in PUBLISHED.get(data.name, ()):
        yield f"[published] {name}".replace("[", "\\["), "", *values, ""


def told(estimate) -> str:
    value, (low, high) = estimate.value, estimate.interval
    if np.isnan(value):
        return "not sure"
    return f"{value:.3f} ({low:.3f} to {high:.3f})".replace("0.", ".")


def taken(kind: str, data, folds) -> str:
    router = routers_data.router_of(kind, data.part(folds != 0))
    spent = []
    for row in np.flatnonzero(folds == 0)[:CALLS]:
        # An embedder remembers texts: nobody may have asked this one.
        query = f"{data.queries[row]} ({kind} {row})"
        start = time.process_time_ns()
        router.score(query)
        spent.append((time.process_time_ns() - start) / 1e6)
    return f"{statistics.median(spent):.2f} ms" if spent else ""


def machine() -> str:
    import sklearn

    load = os.getloadavg()[0]
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" numpy {np.__version__}, scikit-learn {sklearn.__version__}, load {load:.1f}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sets, few draws")
    parser.add_argument("--sets", default=",".join(routers_data.FILES))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--folder", type=Path, default=routers_data.FOLDER)
    return parser.parse_args()


def main() -> None:
    said = arguments()
    routers_data.set_up()
    console = Console(width=150)
    console.print(machine())
    if not said.folder.exists():
        console.print("no recorded answers here: nothing to compare")
        return
    sets = [name for name in said.sets.split(",") if not said.quick or name != "MMLU"]
    resamples = 99 if said.quick else 499
    kinds = said.kinds.split(",")
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("fit and score", total=len(sets) * len(kinds))
        for name in sets:
            data = routers_data.read(name, said.folder)
            table = Table(
                "router", "AUROC", "APGR", "CPT50", "CPT80", "p50",
                title=f"{name}: {len(data.queries)} pairs, cheap {data.cheap.mean():.3f},"
                f" expensive {data.expensive.mean():.3f}",
            )  # fmt: skip
            for kind in kinds:
                progress.update(task, description=f"{name}, {kind}")
                for line in lines_of(data, kind, resamples):
                    table.add_row(*line)
                progress.advance(task)
            for line in references(data, resamples):
                table.add_row(*line)
            progress.console.print(table)


if __name__ == "__main__":
    main()
