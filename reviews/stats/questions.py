"""One question about thresholds, and the capitals that answer it.

What a certificate says of the answer lives in `certificates`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats import betting
from reviews.stats.rows import (
    Arrays,
    Checked,
    FloatArray,
    IntArray,
    Rows,
    arrays,
    below,
    cheap_share,
    checked,
)

Order = Literal["hash", "arrival"]

_BATCHES = 50


@dataclass(frozen=True)
class Question:
    """What one certificate asks: rows, thresholds, levels, order."""

    rows: Arrays
    thresholds: FloatArray
    floor: float
    delta: float
    n_plan: int
    order: Order
    adequacy_floor: float | None
    adequate: FloatArray | None
    loss_name: str


class Capitals(NamedTuple):
    """The capitals that answer a question; each array is (T,).

    `untested` counts the thresholds at the start with too few ratings planned for the second floor.
    """

    frame: Checked
    share: FloatArray
    safe: NDArray[np.bool_]
    degradation: betting.Bets
    adequacy: betting.Bets | None
    untested: int


def ask(
    rows: Rows,
    thresholds: ArrayLike,
    floor: float,
    delta: float,
    n_plan: int,
    order: Order,
    adequacy_floor: float | None,
    adequate: ArrayLike | None,
    loss_name: str,
) -> Question:
    """Return the question with its arrays, refusing what cannot be asked."""
    if order not in ("hash", "arrival"):
        raise ValueError(f"order must be hash or arrival, not {order}")
    if adequacy_floor is not None and adequate is None:
        raise ValueError("an adequacy floor needs what raters said about adequacy")
    answers = None if adequate is None else np.asarray(adequate, dtype=np.float64)
    grid = np.asarray(thresholds, dtype=np.float64)
    return Question(
        arrays(rows), grid, floor, delta, n_plan, order, adequacy_floor, answers, loss_name
    )


def bet(question: Question) -> Capitals:
    """Run the bets of one question, once."""
    frame = checked(question.rows, question.thresholds)
    share = cheap_share(frame)
    safe = share <= (question.floor if _is_whole(question) else 0)
    edges = batches(question, frame.bins.size)
    degradation = betting.star(
        question.rows,
        question.thresholds,
        floor=question.floor,
        delta=question.delta,
        n_plan=question.n_plan,
        batches=edges,
    )
    adequacy, untested = _bet_on_adequacy(question, frame, edges)
    return Capitals(frame, share, safe, degradation, adequacy, untested)


def _is_whole(question: Question) -> bool:
    """Return whether the rows are all the traffic, so that what lies below a threshold is known.

    Of a stream it is an estimate, and of a window too where a row stands for others as well.
    """
    traffic = question.rows.traffic
    return question.order == "hash" and (traffic is None or bool((traffic == 1).all()))


def batches(question: Question, n_rows: int) -> int | IntArray:
    """Return fifty batches of a window; of a stream, fiftieths of the plan, whatever has come."""
    if question.order == "hash":
        return _BATCHES
    step = -(-question.n_plan // _BATCHES)
    return np.append(np.arange(0, max(n_rows, 1), step), n_rows)


def _bet_on_adequacy(
    question: Question, frame: Checked, edges: int | IntArray
) -> tuple[betting.Bets | None, int]:
    """Run the bets of the second floor: the mean of 1 - A among rows routed cheap."""
    if question.adequacy_floor is None or question.adequate is None:
        return None, 0
    allowed = 1 - question.adequacy_floor
    # Planned ratings only: where the walk starts must not depend on what they said.
    planned = below(frame, frame.drawable * frame.pi) * question.n_plan / max(frame.bins.size, 1)
    fewest = 2 * np.ceil(np.log(question.delta) / np.log1p(-allowed))
    bets = betting.star(
        question.rows._replace(loss=1 - question.adequate, judge=None),
        question.thresholds,
        floor=allowed,
        delta=question.delta,
        n_plan=question.n_plan,
        batches=edges,
        routed_only=True,
    )
    return bets, int((planned < fewest).sum())


def certified(capitals: Capitals, delta: float) -> NDArray[np.bool_]:
    """Walk up from the first threshold that can be tested: (T,)."""
    target = np.log(1 / delta)
    refuted = capitals.safe | (capitals.degradation.peak >= target)
    if capitals.adequacy is not None:
        refuted &= capitals.adequacy.peak >= target
    start = capitals.untested
    walked = fixed_sequence(refuted[start:])
    return np.append(np.zeros(start, dtype=bool), walked)


def fixed_sequence(refuted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which hypotheses, in their order, are refuted before the first that is not: (T,).

    Example:
        >>> fixed_sequence(np.array([True, True, False, True])).tolist()
        [True, True, False, False]
    """
    return np.logical_and.accumulate(refuted)
