"""What a rater is told after a practice pair: what was agreed, in their own words of A and B."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from reviews import blinding, checks, rendering
from reviews.models import Gold, Presentation, Rating


@dataclass(frozen=True)
class Feedback:
    """One practice pair looked back at.

    Attributes:
        said: what the rater chose.
        said_fits: for A and B, whether the rater called it good enough.
        agreed: what was agreed, in terms of A and B.
        adequate: for A and B, whether it was agreed to be good enough; None where nothing was.
        why_html: the reasons, safe.
    """

    token: str
    is_right: bool
    said: str
    said_fits: dict[str, bool]
    agreed: str
    adequate: dict[str, bool | None]
    why_html: SafeString


def feedback(shown: Presentation) -> Feedback | None:
    """Return what to tell the rater; None when the pair is unrated or no longer gold."""
    rating: Rating | None = shown.ratings.order_by("-id").first()
    gold = Gold.objects.filter(study=shown.slot.study_id, pair=shown.slot.pair_id).first()
    if rating is None or gold is None:
        return None
    fits = {"cheap": gold.cheap_adequate, "expensive": gold.expensive_adequate}
    return Feedback(
        token=str(shown.token),
        is_right=checks.outcome(gold, rating).is_right,
        said=rating.get_choice_display(),
        said_fits={"A": rating.left_adequate, "B": rating.right_adequate},
        agreed=blinding.better_side(gold.preference, shown.left),
        adequate={"A": fits.pop(shown.left), "B": next(iter(fits.values()))},
        why_html=rendering.markdown(gold.explanation),
    )
