"""Made-up inputs of certificates, with everything that can happen to a row."""

import numpy as np

from reviews.inputs import About, Columns, Inputs

DAY_S = 86_400
BEGIN_S = 1.7e9


def plan(**more):
    usual = {
        "loss": "harm", "floor": 0.08, "confidence": 0.95, "adequacy_floor": None,
        "by_task": False, "early_stop": True,
        "rating_budget": 0, "judge_role": "shown", "largest_threshold": 1.01,
        "closed": {"basis": "window"}, "window": {"end_s": BEGIN_S + 15 * DAY_S}, "deviations": [],
    }  # fmt: skip
    return usual | more


def inputs(
    n=3000,
    *,
    seed=1,
    harm=0.25,
    n_tasks=3,
    judge=False,
    plain=False,
    largest=1.01,
    days=14,
    each=None,
):
    """Return rows with unequal weights, lost pairs, rows without score, and ratings not come.

    Args:
        n: rows.
        seed: of the random numbers.
        harm: share of harm at the highest score.
        n_tasks: task types.
        judge: whether a judge guessed.
        plain: all rows weigh the same.
        largest: rows scored at or above it are not drawn.
        days: over which they came.
        each: how many requests each row stands for; one or four when None.
    """
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    score[:5] = np.nan
    lost = np.zeros(n, np.int8)
    lost[10:20] = rng.integers(1, 4, 10)
    pi = np.full(n, 0.4) if plain else np.where(score < 0.5, 0.3, 0.6)
    pi = np.where((score >= largest) | (lost > 0), 0.0, pi)
    u = rng.random(n)
    selected = u < pi
    rated = selected & (rng.random(n) < 0.97)
    harmed = (rng.random(n) < np.nan_to_num(score) * harm).astype(float)
    adequate = 1.0 - (rng.random(n) < np.nan_to_num(score) * 0.2)
    guess = np.clip(0.8 * harmed + rng.choice([0, 0.2, 0.5], n), 0, 1)
    guess[rng.random(n) < 0.05] = np.nan
    uneven = np.ones(n) if plain else np.where(rng.random(n) < 0.5, 1.0, 4.0)
    traffic = uneven if each is None else np.full(n, each)
    columns = Columns(
        pair_id=np.where(lost > 0, 0, np.arange(1, n + 1)),
        order=rng.integers(0, 2**64, n, dtype=np.uint64),
        received_at=BEGIN_S + days * DAY_S * np.sort(rng.random(n)),
        task=rng.integers(0, n_tasks, n),
        score=score,
        traffic=traffic,
        pi=pi,
        u=u,
        selected=selected,
        lost=lost,
        harm=np.where(rated, harmed, np.nan),
        adequate=np.where(rated, adequate, np.nan),
        strict=np.where(rated, harmed * (1 - adequate), np.nan),
        judge=guess if judge else np.full(n, np.nan),
        cost_cheap=np.full(n, 0.01),
        cost_expensive=np.full(n, 0.05),
        cost_baseline=np.full(n, 0.05),
    )
    tasks = tuple(f"task-{number}" for number in range(n_tasks))
    return Inputs(columns, About("human", True, tasks, "" if judge else "There is none.", "9.7"))
