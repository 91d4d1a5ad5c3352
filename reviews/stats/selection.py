"""The largest threshold whose degradation floor holds, with a bound on the chance of being wrong.

Thresholds are tested from the safest up, and the walk stops at the first that is not refuted: a
wrong certificate must pass the first wrong threshold, so that many thresholds cost nothing more
than one. The bets are `betting`'s. Nothing here falls back to a point estimate.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats import betting, pvalues
from reviews.stats.certificates import Certificate, answer, too_few
from reviews.stats.questions import (
    Capitals,
    Order,
    Question,
    ask,
    bet,
    certified,
    fixed_sequence,
)
from reviews.stats.rows import (
    Checked,
    FloatArray,
    IntArray,
    Rows,
    below,
    cheap_share,
    checked,
)

#: With fewer rated pairs of a task type nothing is certified of it alone.
FEWEST_PER_TASK = 60


def certify(
    rows: Rows,
    thresholds: ArrayLike,
    *,
    floor: float,
    delta: float,
    n_plan: int,
    order: Order,
    adequacy_floor: float | None = None,
    adequate: ArrayLike | None = None,
    loss_name: str = "harm",
) -> Certificate:
    """Name the largest threshold at which degradation is at most the floor.

    P(it is not) is at most delta, whatever the router, the judge and the weights are. In hash order
    the rows are the whole window, run once. In order of arrival the same capital may be looked at
    every day; hand in rows only up to the first that is drawn and still waits, or slow ratings
    bend the result.

    Args:
        rows: in the order of `order`.
        thresholds: (T,) strictly increasing, fixed without these ratings.
        floor: in (0, 1).
        delta: in (0, 1).
        n_plan: rows planned, the same at every look.
        order: "hash" or "arrival".
        adequacy_floor: also require so large a share of adequate answers among rows routed cheap.
        adequate: (N,) in [0, 1], read where rated; nan counts as not adequate.
        loss_name: of the loss, for the certificate.

    Raises:
        ValueError: as `betting.star`; another order; or an adequacy floor without answers.

    Source:
        Fixed sequence: Angelopoulos et al. 2025, Learn then Test; both floors: intersection-union,
        Berger 1982.

    Example:
        >>> rated = np.arange(2000) % 10 == 0
        >>> score = np.arange(2000) % 100 / 100
        >>> rows = Rows(score, np.full(2000, 0.1), rated, np.zeros(2000))
        >>> found = certify(rows, [0.5, 1.01], floor=0.05, delta=0.05, n_plan=2000, order="hash")
        >>> found.threshold, found.n_rated, found.grid[0].cheap_share
        (1.01, 200, 0.5)
    """
    question = ask(
        rows, thresholds, floor, delta, n_plan, order, adequacy_floor, adequate, loss_name
    )
    return answer(question, bet(question), delta)


def certify_tasks(
    rows: Rows,
    tasks: ArrayLike,
    thresholds: ArrayLike,
    *,
    floor: float,
    delta: float,
    n_plan: int,
    order: Order,
    adequacy_floor: float | None = None,
    adequate: ArrayLike | None = None,
    loss_name: str = "harm",
) -> dict[int, Certificate]:
    """Name a threshold for each task, all of them right at once with probability 1 - delta.

    Each of the G tasks with 60 ratings or more has delta / G. A task whose whole grid is certified
    hands its part to the others (Holm); their capitals stay the ones that aimed at delta / G and
    need to be less large. The others get no threshold.

    Args:
        rows: as `certify`, all tasks together.
        tasks: (N,) code of each row's task.
        thresholds: as `certify`, as all that follow.
        floor: within each task.
        delta: for all tasks together.
        n_plan: rows planned of all tasks together.
        order: "hash" or "arrival".
        adequacy_floor: within each task.
        adequate: (N,) in [0, 1].
        loss_name: of the loss.

    Returns:
        A certificate by code; its delta is the part that the task had in the end.

    Source:
        Holm 1979; Bretz, Maurer, Brannath and Posch 2009.
    """
    codes = np.asarray(tasks)
    whole = ask(rows, thresholds, floor, delta, n_plan, order, adequacy_floor, adequate, loss_name)
    if codes.shape != whole.rows.rated.shape:
        raise ValueError("tasks must have one code per row")
    counts = {int(code): int(whole.rows.spoken[codes == code].sum()) for code in np.unique(codes)}
    enough = [code for code, n in counts.items() if n >= FEWEST_PER_TASK]
    part = delta / max(len(enough), 1)
    questions = {code: _of_task(whole, codes == code, part, len(counts)) for code in counts}
    capitals = {code: bet(questions[code]) for code in enough}
    levels = _handed_over(capitals, delta)
    return {
        code: answer(question, capitals[code], levels[code])
        if code in capitals
        else too_few(question, FEWEST_PER_TASK)
        for code, question in questions.items()
    }


def sensitivity(
    rows: Rows, thresholds: ArrayLike, *, floor: float, delta: float
) -> dict[str, float | None]:
    """Return the largest threshold that other tests certify, by name; None where one does not.

    "order_free" needs no order and no plan; "fixed_sample" is the exact binomial, or for fractions
    Hoeffding and Bentkus, and is there only where all rows weigh the same.
    """
    frame = checked(rows._replace(judge=None), thresholds)
    is_whole = rows.traffic is None or bool((np.asarray(rows.traffic) == 1).all())
    safe = cheap_share(frame) <= (floor if is_whole else 0)
    mixture = betting.log_mixture(rows, thresholds, floor) >= np.log(1 / delta)
    found = {"order_free": _largest(frame, safe | mixture)}
    if not frame.rated.any():
        return dict.fromkeys(found)
    weight = (frame.traffic / frame.pi)[frame.rated]
    if weight.size and np.ptp(weight) <= 1e-9 * weight[0] and np.ptp(frame.traffic) == 0:
        found["fixed_sample"] = _largest(frame, safe | (_p_values(frame, floor) <= delta))
    return found


def hash_order(seed: str, ids: Sequence[object]) -> IntArray:
    """Return the order of rows that nobody chose: by SHA-256 of "order", seed and id.

    Args:
        seed: of the study.
        ids: (N,) of the requests, one each.

    Returns:
        (N,) positions: `rows[hash_order(seed, ids)]` is in hash order.

    Example:
        >>> hash_order("seed", ["a", "b", "c", "d"]).tolist()
        [0, 3, 1, 2]
    """
    digests = [hashlib.sha256(f"order|{seed}|{name}".encode()).digest() for name in ids]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)


def _of_task(whole: Question, mine: NDArray[np.bool_], delta: float, n_tasks: int) -> Question:
    """Return the question about the rows of one task.

    Of a window the plan is the task's share of the rows. Of a stream it must not move from look to
    look, so that each task is planned alike.
    """
    share = mine.mean() if whole.order == "hash" else 1 / n_tasks
    rows = whole.rows.only(mine)
    adequate = None if whole.adequate is None else whole.adequate[mine]
    n_plan = max(1, round(whole.n_plan * float(share)))
    return replace(whole, rows=rows, adequate=adequate, delta=delta, n_plan=n_plan)


def _handed_over(capitals: dict[int, Capitals], delta: float) -> dict[int, float]:
    """Return each task's part of delta once those that are done have given theirs away."""
    done: set[int] = set()
    while True:
        part = delta / max(len(capitals) - len(done), 1)
        more = {
            code
            for code, found in capitals.items()
            if code not in done and certified(found, part)[found.untested :].all()
        }
        if not more or len(done | more) == len(capitals):
            return dict.fromkeys(capitals, part)
        done |= more


def _p_values(frame: Checked, floor: float) -> FloatArray:
    """Return p at each threshold from an equally weighted sample: (T,)."""
    covered = frame.drawable.mean()
    losses, n = below(frame, frame.loss), float(frame.rated.sum())
    whole = bool(np.isin(frame.loss, (0, 1)).all())
    test = pvalues.exact_binomial if whole else pvalues.hoeffding_bentkus
    # Rows that could not be drawn dilute the loss: among the others it may be that much larger.
    allowed = floor / covered
    return test(losses, n, allowed) if allowed < 1 else np.zeros(losses.size)


def _largest(frame: Checked, refuted: NDArray[np.bool_]) -> float | None:
    """Return the last threshold of a walk that routes anything."""
    passed = np.flatnonzero(fixed_sequence(refuted) & (cheap_share(frame) > 0))
    return float(frame.thresholds[passed[-1]]) if passed.size else None
