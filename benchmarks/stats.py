"""What certificates cost, and what they are worth on recorded answers whose labels are all known.

Speed: medians of CPU time, which others on the machine disturb less than the clock. Worth: a router
is fit on recorded answers, each row scored by folds it was not in; a quarter of the rows is drawn
for rating, again with each seed; then the certified threshold is held against all labels, and
beside it the naive one: the largest threshold whose estimate is at most the floor.
Run: .venv/bin/python -m benchmarks.stats [file of *.jsonl.gz with both answers and labels]
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT.parent / "shared" / "data" / "zeroeval_claude35_haiku_sonnet.jsonl.gz"

FLOOR = DELTA = 0.05
#: Rows of the frame, of which one in `every` is rated, and thresholds.
SIZES = ((10_000, 10, 50), (10_000, 10, 101), (450_000, 9, 102))
LOOKS = 11
SEEDS = 200
RATE = 0.25


def print_speed() -> None:
    from reviews.stats import betting, planner, selection

    print(
        f"{'frame':>8} {'rated':>7} {'t':>4}   test ms   with judge   certificate   how many more"
    )
    for n, every, n_thresholds in SIZES:
        rows, judged = frame(n, every)
        grid = np.linspace(0, 1.01, n_thresholds)
        settings = {"floor": FLOOR, "delta": DELTA, "n_plan": n}
        taken = [
            median_ms(betting.star, rows, grid, **settings),
            median_ms(betting.star, judged, grid, **settings),
            median_ms(selection.certify, rows, grid, order="hash", **settings),
            median_ms(planner.more, rows, grid, **settings),
        ]
        figures = "".join(f"{ms:12.1f}" for ms in taken)
        print(f"{n:8} {int(rows.rated.sum()):7} {n_thresholds:4}{figures}", flush=True)


def frame(n: int, every: int):
    """Return rows with 6 % harm that rises with the score, without a judge and with one."""
    from reviews.stats.rows import Rows

    rng = np.random.default_rng(7)
    score, rated = rng.random(n), rng.random(n) < 1 / every
    loss = (rng.random(n) < 0.12 * score) * 1.0
    judge = np.where(rng.random(n) < 0.9, loss, 1 - loss)
    rows = Rows(score, np.full(n, 1 / every), rated, np.where(rated, loss, 0.0))
    return rows, rows._replace(judge=judge)


def median_ms(call, *args, **kwargs) -> float:
    taken = []
    for _ in range(LOOKS):
        start = time.process_time()
        call(*args, **kwargs)
        taken.append((time.process_time() - start) * 1000)
    return statistics.median(taken)


def print_worth(path: Path) -> None:
    score, loss = recorded(path)
    grid = np.unique(np.append(np.quantile(score, np.arange(1, 51) / 50), 1.01))
    true = np.array([(loss * (score < t)).mean() for t in grid])
    share = np.array([(score < t).mean() for t in grid])
    best = share[true <= FLOOR].max()
    print(f"\n{path.name.split('.')[0]}: {loss.size} rows, all cheap degrades {loss.mean():.3f}")
    print(f"floor {FLOOR}, {RATE:.0%} rated, {SEEDS} seeds; best possible share {best:.3f}")
    chosen = np.array([choices(score, loss, grid, seed) for seed in range(SEEDS)])
    bound = DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / SEEDS)
    for name, index in zip(("certified", "naive"), chosen.T, strict=True):
        wrong = np.where(index < 0, 0.0, true[index]) > FLOOR
        routed = np.where(index < 0, 0.0, share[index])
        print(
            f"  {name:10} floor broken in {wrong.mean():6.1%} of seeds (bound {bound:.1%}),"
            f" routed {routed.mean():.3f}, nothing chosen in {(index < 0).mean():.1%}"
        )


def choices(score, loss, grid, seed: int) -> tuple[int, int]:
    """Return which threshold is certified and which the estimate alone chooses; -1 for none."""
    from reviews.stats import selection
    from reviews.stats.rows import Rows

    rated = np.random.default_rng(seed).random(score.size) < RATE
    order = selection.hash_order(str(seed), range(score.size))
    rows = Rows(score, np.full(score.size, RATE), rated, np.where(rated, loss, np.nan))
    found = selection.certify(
        Rows(*(column[order] for column in rows[:4])),
        grid,
        floor=FLOOR,
        delta=DELTA,
        n_plan=score.size,
        order="hash",
    )
    seems = np.array([loss[rated & (score < t)].sum() / rated.sum() for t in grid])
    naive = np.flatnonzero(seems <= FLOOR)
    certified = -1 if found.threshold is None else int(np.searchsorted(grid, found.threshold))
    return certified, int(naive[-1]) if naive.size else -1


def recorded(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's score by a head fit without it, and whether the expensive answer won."""
    from benchmarks import embedders
    from reviews import recordings, replay

    content = recordings.read(path)
    said = [next(filter(None, map(replay.opinion, row.labels)), None) for row in content.rows]
    kept = [(row.query, o) for row, o in zip(content.rows, said, strict=True) if o]
    loss = np.array([o["preference"] == "expensive" for _, o in kept], dtype=float)
    static = embedders.make("static")
    vectors = np.stack([static.embed(query) for query, _ in kept])
    logit = embedders.held_out(vectors, loss, np.arange(loss.size))
    return 1 / (1 + np.exp(-logit)), loss


def main() -> None:
    os.environ.setdefault("SHADOWEVAL_MODELS", str(ROOT / ".models"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")
    import django

    django.setup()
    load = os.getloadavg()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" numpy {np.__version__}, load {load:.1f}"
    )
    print_speed()
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDED
    if path.exists():
        print_worth(path)
    else:
        print(f"\nno {path.name} here: nothing to say of recorded answers")


if __name__ == "__main__":
    main()
