"""Does a threshold for each category beat a single one, where the expensive model is worse on some?

Recorded answers of gemini-1.5-flash and -pro in 14 categories, scored held out (five folds). Split
after split, thresholds are chosen on one half and measured on the other, beside a single threshold
that makes as many calls there. A category's threshold moves by what its pairs gained beyond others
of the same score; few pairs are drawn towards no move, or their noise would pass for a difference.
Run: .venv/bin/python -m benchmarks.routers_by_task [--folder ...]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks import routers_data

SPLITS = 200
#: Shares of expensive calls in question.
SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
#: A category counts as much as so many pairs that say nothing of it.
PRIOR = 60.0
KINDS = ("two-heads", "rules+embedding-logistic")


def priorities(score, gain, subject, half) -> np.ndarray:
    """Return what a call is expected to gain, (n,): rising with the score in each category."""
    from sklearn.isotonic import IsotonicRegression

    # A little of the score itself keeps an order where the isotonic fit is level.
    rising = IsotonicRegression(out_of_bounds="clip").fit(score[half], gain[half])
    expected = rising.predict(score) + 0.05 * score
    moved = expected.copy()
    for one in np.unique(subject):
        own = subject == one
        beyond = (gain - expected)[own & half] - (gain - expected)[half].mean()
        moved[own] += beyond.sum() / (beyond.size + PRIOR)
    return moved


def quality(order_by, data, half, share: float) -> float:
    """Return the mean quality when this share of a half goes to the expensive model."""
    rows = np.flatnonzero(half)
    called = rows[np.argsort(-order_by[rows], kind="stable")[: round(share * rows.size)]]
    gained = (data.expensive - data.cheap)[called].sum()
    return float((data.cheap[rows].sum() + gained) / rows.size)


def compare(data, score, rng) -> np.ndarray:
    """Return quality by a single threshold and by category, (2, shares), on the other half."""
    half = rng.permutation(score.size) < score.size // 2
    moved = priorities(score, data.expensive - data.cheap, data.subject, half)
    return np.array(
        [[quality(by, data, ~half, share) for share in SHARES] for by in (score, moved)]
    )


def as_good(data, score, rng) -> float:
    """Return how many calls fewer, as a share of all, a threshold by category needs on average.

    For the quality that a single threshold reaches with half of the calls.
    """
    half = rng.permutation(score.size) < score.size // 2
    moved = priorities(score, data.expensive - data.cheap, data.subject, half)
    grid = np.linspace(0, 1, 101)
    goal = quality(score, data, ~half, 0.5)
    reached = (
        next((s for s in grid if quality(by, data, ~half, s) >= goal), 1.0) for by in (score, moved)
    )
    single, own = reached
    return single - own


def told(values) -> str:
    low, high = np.quantile(values, [0.025, 0.975])
    return f"{values.mean():+.4f} ({low:+.4f} to {high:+.4f})"


def print_categories(data) -> None:
    print(f"{'category':20} pairs   cheap  expensive")
    for one in np.unique(data.subject):
        own = data.subject == one
        print(
            f"{one:20} {own.sum():5} {data.cheap[own].mean():7.3f}"
            f" {data.expensive[own].mean():10.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=routers_data.FOLDER)
    folder = parser.parse_args().folder
    routers_data.set_up()
    if not folder.exists():
        print("no recorded answers here: nothing to compare")
        return
    data = routers_data.read("Gemini", folder)
    print_categories(data)
    for kind in KINDS:
        score = routers_data.held_out(kind, data, data.folds())
        rng = np.random.default_rng(routers_data.SEED)
        found = np.array([compare(data, score, rng) for _ in range(SPLITS)])
        print(f"\n{kind}: quality on the other half, {SPLITS} splits; by category less single")
        for place, share in enumerate(SHARES):
            single, own = found[:, 0, place], found[:, 1, place]
            better = (own > single).mean()
            print(
                f"  {share:.0%} calls: {single.mean():.4f} single, {own.mean():.4f} by category,"
                f" {told(own - single)}, better in {better:.0%} of splits"
            )
        mean = found.mean(axis=2)
        print(f"  over these shares: {told(mean[:, 1] - mean[:, 0])}", flush=True)
        fewer = np.array([as_good(data, score, rng) for _ in range(SPLITS // 4)])
        print(f"  fewer calls for the quality of a single threshold at 50 %: {told(fewer)}")


if __name__ == "__main__":
    main()
