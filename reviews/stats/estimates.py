"""Weighted estimates at one threshold from checked rows: what bands and certificates show.

The curve of the page is `curve`'s, over all thresholds in one pass; these agree with it.
"""

import numpy as np

from reviews.stats import weighting
from reviews.stats.rows import Checked, FloatArray
from reviews.stats.weighting import WeightedMean

_ROUNDING = 1e-9


def weights(frame: Checked) -> FloatArray:
    """Return how many requests each rated row stands for, over the mean traffic: (n,)."""
    return (frame.traffic / frame.pi)[frame.rated]


def covered(frame: Checked) -> float:
    """Return the share of the traffic that could be drawn; the rest harms at no threshold tested.

    1 for an empty frame.
    """
    total = float(frame.traffic.sum())
    return float(frame.traffic[frame.drawable].sum()) / total if total else 1.0


def degradation(frame: Checked, index: int) -> WeightedMean:
    """Estimate the loss below a threshold over what could be drawn; times `covered` it is D(t)."""
    cheap = frame.bins[frame.rated] <= index
    return weighting.hajek(cheap * frame.loss[frame.rated], weights(frame))


def adequacy(frame: Checked, adequate: FloatArray, index: int) -> WeightedMean:
    """Estimate adequacy among rows below a threshold.

    Args:
        frame: N rows.
        adequate: (N,) in [0, 1], nan where nobody spoke; read where rated.
        index: of the threshold.
    """
    said = adequate[frame.rated]
    spoken = (frame.bins[frame.rated] <= index) & ~np.isnan(said)
    return weighting.domain_mean(np.where(spoken, said, 0.0), weights(frame), spoken)


def too_unequal(frame: Checked) -> bool:
    """Say whether weights are too unequal for Korn-Graubard intervals; False without ratings.

    Rows that are known without a draw vary in nothing: they are left out.
    """
    drawn = frame.rated & ~frame.known
    weight = (frame.traffic / frame.pi)[drawn]
    if weight.size == 0:
        return False
    heaviest = weight >= weight.max() * (1 - _ROUNDING)
    events = int((frame.loss[drawn][heaviest] > 0).sum())
    return weighting.too_unequal(weight, events)
