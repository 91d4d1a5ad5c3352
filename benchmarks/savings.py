"""Whether measured savings cover the true ones, and how far naive re-pricing is off.

Recorded answers of two models, so that the true saving is known: the shorter half of the questions
goes to the cheap model, and of those a share is shadowed, drawn again with each seed. Nothing is
written to a database.
Run: .venv/bin/python -m benchmarks.savings [file of *.jsonl.gz with both answers and labels]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.stats import RECORDED

SEEDS, LEVEL = 200, 0.95
RATES = (0.05, 0.1, 0.3)
FILES = ("zeroeval_claude35_haiku_sonnet", "zeroeval_claude3_haiku_opus")


class Costs(NamedTuple):
    """Hold the rows that go cheap, in USD each: (N,)."""

    cheap: np.ndarray
    repriced: np.ndarray
    expensive: np.ndarray


class Played(NamedTuple):
    """Hold what many seeds found."""

    true: float
    repriced: float
    coverage: float
    half_width: float
    naive_inside: float
    n: float


def costs(path: Path) -> Costs:
    """Return what half of the rows cost at both tiers, by the recorded tokens and list prices."""
    from reviews import recordings as files
    from routing import pricing
    from routing.types import Usage

    rows = files.read(path).rows
    cheap, expensive = (
        pricing.LIST_PRICES[name] for name in (rows[0].cheap_model, rows[0].expensive_model)
    )

    def usd(price, side):
        cost = pricing.cost_usd(price, Usage(side.input_tokens, side.output_tokens))
        return np.nan if cost is None else float(cost)

    every = np.array(
        [
            (usd(cheap, row.cheap), usd(expensive, row.cheap), usd(expensive, row.expensive))
            for row in rows
        ]
    )
    length = np.array([len(row.query) for row in rows])
    every = every[length < np.median(length)]
    return Costs(*every[~np.isnan(every).any(axis=1)].T)


def play(of: Costs, rate: float, seeds: int, method: str = "") -> Played:
    """Draw the shadowed rows with each seed, and hold the interval against the truth."""
    from reviews.stats import savings

    true, found = float((of.expensive - of.cheap).sum()), []
    for seed in range(seeds):
        known = np.random.default_rng(seed).random(of.cheap.size) < rate
        n = of.cheap.size
        rows = savings.rows(of.repriced, np.full(n, rate), known, of.expensive, np.zeros(n))
        seen = savings.estimate(rows, LEVEL, method)
        low, high = (end - of.cheap.sum() for end in seen.interval)
        naive = seen.bias_interval.low <= 0 <= seen.bias_interval.high
        found.append((low <= true <= high, (high - low) / 2, naive, seen.n))
    coverage, half, naive, n = np.mean(found, axis=0)
    return Played(true, float((of.repriced - of.cheap).sum()), coverage, half, naive, n)


def report(path: Path) -> None:
    of = costs(path)
    print(f"\n{path.name.split('.')[0]}: {of.cheap.size} requests served cheap")
    true, naive = (float((column - of.cheap).sum()) for column in (of.expensive, of.repriced))
    print(f"  saved, true {true:.4f} USD; re-priced {naive:.4f} USD ({naive / true - 1:+.1%})")
    for rate in RATES:
        for method in ("total", "ratio", "regression"):
            got = play(of, rate, SEEDS, method)
            print(
                f"  {rate:4.0%} shadowed (mean {got.n:5.0f}), {method:10}: interval covers"
                f" {got.coverage:6.1%} of {SEEDS} seeds, ± {got.half_width / true:5.1%};"
                f" takes re-pricing for right in {got.naive_inside:6.1%}",
                flush=True,
            )


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")
    import django

    django.setup()
    folder = RECORDED.parent
    paths = [Path(name) for name in sys.argv[1:]] or [folder / f"{n}.jsonl.gz" for n in FILES]
    print(f"Level {LEVEL:.0%}, {SEEDS} seeds; the shorter half of the questions goes cheap.")
    for path in paths:
        report(path)


if __name__ == "__main__":
    main()
