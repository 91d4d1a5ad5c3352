"""Columns of made-up studies, without a database."""

import numpy as np

from reviews.inputs import About, Columns, Inputs

DAY = 86_400.0


def plan(**changes):
    """Return the parts of a plan that a certificate reads."""
    closed = {"at": None, "basis": changes.pop("basis", ""), "why": ""}
    usual = {
        "loss": "harm", "floor": 0.05, "confidence": 0.95, "adequacy_floor": None,
        "by_task": False, "early_stop": True,
        "rating_budget": 0, "judge_role": "shown", "largest_threshold": 1.01,
        "window": {"end_s": 28 * DAY}, "closed": closed, "deviations": [],
    }  # fmt: skip
    return usual | changes


def study(n=2000, pi=0.25, days=20, seed=7, tasks=("chat", "math"), about=None, **columns):
    """Return a study whose pairs are all rated, without any harm unless it is given."""
    draw = np.random.default_rng(seed)
    u = draw.random(n)
    given = {
        "pair_id": np.arange(1, n + 1),
        "order": draw.permutation(n).astype(np.uint64),
        "received_at": np.linspace(0, days * DAY, n, endpoint=False),
        "task": np.arange(n) % len(tasks),
        "score": draw.random(n),
        "traffic": np.ones(n),
        "pi": np.full(n, pi),
        "u": u,
        "selected": u < pi,
        "lost": np.zeros(n, np.int8),
        "harm": np.where(u < pi, 0.0, np.nan),
        "adequate": np.where(u < pi, 1.0, np.nan),
        "strict": np.where(u < pi, 0.0, np.nan),
        "judge": np.full(n, np.nan),
        "cost_cheap": np.full(n, 1.0),
        "cost_expensive": np.full(n, 5.0),
    } | columns
    given.setdefault("cost_baseline", given["cost_expensive"])
    said = {"kind": "human", "from_queue": True, "judge_problem": "", "moment": "1.1"}
    return Inputs(Columns(**given), About(**(said | {"tasks": tasks} | (about or {}))))
