"""Whether the longer answer wins for being longer, with people and with a judge."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats import logistic
from reviews.stats.logistic import Effect


def length_effect(
    expensive_won: ArrayLike,
    log_length_ratio: ArrayLike,
    rater: Sequence[Hashable],
    level: float = 0.95,
) -> Effect:
    """Regress decisive votes on ln(length expensive / length cheap), errors clustered by rater.

    A coefficient above 0 means that length helps; ln 2 times it is the change of the log-odds when
    an answer is twice as long. It is no proof of a fault: longer may be better.

    Args:
        expensive_won: (n,) boolean, decisive votes only; leave ties out.
        log_length_ratio: (n,) finite; leave pairs with an empty answer out.
        rater: (n,) who voted.
        level: two-sided confidence of the interval.

    Returns:
        The coefficient; nan where votes or ratios do not vary, or length decides every vote, and
        nan beside it for a single rater.

    Raises:
        ValueError: as `logistic.fit`, or not one rater per vote.
    """
    votes, ratio = _boolean(expensive_won), np.asarray(log_length_ratio, dtype=np.float64)
    if votes.shape != (len(rater),):
        raise ValueError("expensive_won and rater must have the same length")
    places = {name: place for place, name in enumerate(dict.fromkeys(rater))}
    cluster = np.array([places[name] for name in rater])
    fitted = logistic.fit(ratio.reshape(-1, 1), votes, cluster=cluster)
    return logistic.effect(fitted, column=1, n=votes.size, level=level)


def judge_length_effect(
    judge_expensive: ArrayLike,
    people_expensive: ArrayLike,
    log_length_ratio: ArrayLike,
    weight: ArrayLike | None = None,
    level: float = 0.95,
) -> Effect:
    """Regress a judge's verdict on length, given what people said of the same pair.

    What remains of length when people's verdict is in the model is the judge's own.

    Args:
        judge_expensive: (n,) boolean, the judge preferred the expensive answer.
        people_expensive: (n,) share of people who did, in [0, 1].
        log_length_ratio: (n,) ln(length expensive / length cheap), finite.
        weight: (n,) 1 / P(the pair was drawn); equal when None.
        level: two-sided confidence of the interval.

    Raises:
        ValueError: as `logistic.fit`.
    """
    verdicts = _boolean(judge_expensive)
    columns = np.column_stack([people_expensive, log_length_ratio])
    fitted = logistic.fit(columns, verdicts, weight)
    return logistic.effect(fitted, column=2, n=verdicts.size, level=level)


def _boolean(votes: ArrayLike) -> NDArray[np.bool_]:
    """Return the votes; numbers are refused because a tie would read as one of the sides."""
    mask = np.asarray(votes)
    if mask.size and mask.dtype != np.bool_:
        raise ValueError("votes must be boolean")
    return mask.astype(np.bool_)
