"""Rows of what people learn from many requests."""

from reviews.models.rating import Presentation, Rater, Rating, Reveal, Slot, Verdict
from reviews.models.sampling import SampledPair
from reviews.models.signoff import Approval, Evidence, SignOff
from reviews.models.study import Study

__all__ = [
    "Approval",
    "Evidence",
    "Presentation",
    "Rater",
    "Rating",
    "Reveal",
    "SampledPair",
    "SignOff",
    "Slot",
    "Study",
    "Verdict",
]
