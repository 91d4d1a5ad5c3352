"""Whether something bad happens more often under one policy than under another; no Django."""

from __future__ import annotations

from typing import NamedTuple

from scipy import stats

#: Guards look again and again while a ramp runs, so that one look must be all but sure.
WORSE_BELOW = 0.001


class Comparison(NamedTuple):
    """How often one thing happened under a ramp's new policy and under its rest.

    Attributes:
        name: what happened, such as `errors`.
        n_new: how often it could have happened; `x_new`: how often it did. So for the rest.
        p_value: of as many or more under the new policy, were both alike; None when it could not
            have happened under one of them.
        worse: whether that is less than `WORSE_BELOW`.
    """

    name: str
    n_new: int
    x_new: int
    n_rest: int
    x_rest: int
    p_value: float | None
    worse: bool


def compare(name: str, x_new: int, n_new: int, x_rest: int, n_rest: int) -> Comparison:
    """Compare two proportions by Fisher's exact test, one-sided.

    A p-value is of one look: over many looks at the same counts, the chance of a false alarm adds
    up. Requests of one conversation count as if they were independent.

    Args:
        name: what happened.
        x_new: how often it happened under the new policy, of `n_new`.
        n_new: how often it could have.
        x_rest: the same under the other policy, of `n_rest`.
        n_rest: how often it could have there.

    Raises:
        ValueError: when something happened more often than it could have.

    Source:
        R. A. Fisher, The Design of Experiments (1935), chapter II: the lady who tasted tea had
        three of four cups right, with probability 17/70 of as many by chance.

    Example:
        >>> round(compare("cups", 3, 4, 1, 4).p_value * 70, 9)
        17.0
    """
    if not (0 <= x_new <= n_new and 0 <= x_rest <= n_rest):
        raise ValueError(f"{name}: {x_new} of {n_new} and {x_rest} of {n_rest} cannot be.")
    p_value = None
    if n_new and n_rest:
        table = [[x_new, n_new - x_new], [x_rest, n_rest - x_rest]]
        p_value = float(stats.fisher_exact(table, alternative="greater").pvalue)
    worse = p_value is not None and p_value < WORSE_BELOW
    return Comparison(name, n_new, x_new, n_rest, x_rest, p_value, worse)
