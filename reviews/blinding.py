"""What a rater may see, and what a rating means: the only code that knows left from right."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from reviews import rendering
from reviews.models import Presentation, Rater, Rating, Slot, Verdict
from routing.models import ShadowPair
from routing.types import Tier
from routing.wire.body import last_user_turn, text_of

_PREFERENCE = Verdict.Preference
_CHOICE = Rating.Choice
#: Which side each choice prefers; what prefers no side maps to the preference itself.
_SIDE = {
    _CHOICE.A_MUCH: "left",
    _CHOICE.A_SLIGHTLY: "left",
    _CHOICE.B_SLIGHTLY: "right",
    _CHOICE.B_MUCH: "right",
}
_NO_SIDE = {_CHOICE.EQUAL: _PREFERENCE.TIE, _CHOICE.BOTH_BAD: _PREFERENCE.BOTH_BAD}


@dataclass(frozen=True)
class Blind:
    """Everything that leaves for a rater's browser: three texts and a token."""

    token: str
    query_html: str
    turns_html: list[str]
    prefill_html: list[str]
    left_html: str
    right_html: str


def present(slot: Slot, rater: Rater) -> Presentation:
    """Draw the side by a coin and store it."""
    left = secrets.choice([Tier.CHEAP, Tier.EXPENSIVE])
    return Presentation.objects.create(token=uuid4(), slot=slot, rater=rater, left=left.value)


def blind(shown: Presentation) -> Blind:
    """Return what the rater may see of a pair."""
    pair = ShadowPair.objects.select_related("request", "cheap", "expensive").get(
        pk=shown.slot.pair_id
    )
    texts = {Tier.CHEAP.value: pair.cheap.text, Tier.EXPENSIVE.value: pair.expensive.text}
    left, right = texts[shown.left], texts[Tier(shown.left).other.value]
    return Blind(
        token=str(shown.token),
        query_html=rendering.plain(pair.request.query),
        turns_html=_earlier_turns(pair.request.payload),
        prefill_html=_prefill(pair.request.payload),
        left_html=rendering.markdown(left),
        right_html=rendering.markdown(right),
    )


def _earlier_turns(payload: dict[str, Any]) -> list[str]:
    """Return the system prompt and the turns before the last user turn, rendered."""
    system = payload.get("system")
    turns: list[str] = [rendering.plain(f"System: {text_of(system)}")] if system else []
    messages = payload.get("messages", [])
    return turns + [_turn(turn) for turn in messages[: last_user_turn(messages)]]


def _prefill(payload: dict[str, Any]) -> list[str]:
    """Return what follows the last user turn: the beginning that both answers had to continue."""
    messages = payload.get("messages", [])
    return [_turn(turn) for turn in messages[last_user_turn(messages) + 1 :]]


def _turn(turn: dict[str, Any]) -> str:
    return rendering.plain(f"{turn['role'].capitalize()}: {text_of(turn['content'])}")


def unblind(rating: Rating, slot: Slot) -> Verdict:
    """Write the verdict of a rating, by tier."""
    shown = rating.presentation
    cheap_is_left = shown.left == Tier.CHEAP
    adequate = (rating.left_adequate, rating.right_adequate)
    cheap, expensive = adequate if cheap_is_left else adequate[::-1]
    return Verdict.objects.create(
        study_id=slot.study_id,
        pair_id=slot.pair_id,
        rater=shown.rater,
        rating=rating,
        preference=_preference(_CHOICE(rating.choice), shown),
        cheap_adequate=cheap,
        expensive_adequate=expensive,
    )


def _preference(choice: Rating.Choice, shown: Presentation) -> str:
    if choice in _NO_SIDE:
        return _NO_SIDE[choice]
    better = Tier(shown.left) if _SIDE[choice] == "left" else Tier(shown.left).other
    return _PREFERENCE.CHEAP if better is Tier.CHEAP else _PREFERENCE.EXPENSIVE
