"""What a rater may see, and what a rating means: the only code that knows left from right."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.utils.safestring import SafeString

from reviews import leaks, passages, rendering, sampling, style
from reviews.models import Guideline, Presentation, Rater, Rating, Slot, Study, Verdict
from reviews.passages import Merged, Passage
from routing.models import Policy, ShadowPair
from routing.types import Tier
from routing.wire import sources
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
#: How far each choice goes to the right, of two steps; both bad is no place on that line.
_STEP = {
    _CHOICE.A_MUCH: -2,
    _CHOICE.A_SLIGHTLY: -1,
    _CHOICE.EQUAL: 0,
    _CHOICE.B_SLIGHTLY: 1,
    _CHOICE.B_MUCH: 2,
}
_NO_SIDE = {_CHOICE.EQUAL: _PREFERENCE.TIE, _CHOICE.BOTH_BAD: _PREFERENCE.BOTH_BAD}


@dataclass(frozen=True)
class Blind:
    """Everything that leaves for a rater's browser: the texts and a token.

    Attributes:
        is_long: whether both answers are folded, if either is long.
        has_sources: whether the answers rest on something that was looked up, even if nothing was
            found.
    """

    token: str
    query_html: SafeString
    turns_html: list[SafeString]
    prefill_html: list[SafeString]
    left_html: SafeString
    right_html: SafeString
    is_long: bool
    has_sources: bool = False
    sources: Sequence[Passage] = ()
    n_sources: int = 0


@dataclass(frozen=True)
class Meaning:
    """What a rating says by tier; whether sources support an answer is None where nobody said."""

    preference: str
    cheap_adequate: bool
    expensive_adequate: bool
    cheap_supported: bool | None = None
    expensive_supported: bool | None = None


def present(
    slot: Slot, rater: Rater, *, left: Tier | None = None, guideline: Guideline | None = None
) -> Presentation:
    """Store one showing: its side, drawn by a coin unless it is given, and what it leaks."""
    left = left or secrets.choice([Tier.CHEAP, Tier.EXPENSIVE])
    return Presentation.objects.create(
        token=uuid4(),
        slot=slot,
        rater=rater,
        left=left.value,
        guideline=guideline,
        asks_origin=_asks_origin(slot, rater),
        leaks=_leaks(slot),
    )


def _asks_origin(slot: Slot, rater: Rater) -> bool:
    """Return whether this showing ends with the question which model answered."""
    every = slot.study.origin_every
    if slot.kind != Slot.Kind.SAMPLE or not every:
        return False
    return sampling.uniform(f"{slot.study.seed}|origin|{rater.pk}", slot.pk) < 1 / every


def _leaks(slot: Slot) -> dict[str, list[str]]:
    """Return the kinds of leaks in each answer, by tier; where there are none, nothing."""
    pair = _pair(slot)
    found = {tier: _found(text, pair) for tier, text in _shown_texts(slot, pair).items()}
    return {
        tier: sorted({leak.kind.value for leak in some}) for tier, some in found.items() if some
    }


def _found(text: str, pair: ShadowPair) -> tuple[leaks.Leak, ...]:
    return leaks.find(text, _names(pair.request.decision.policy), query=pair.request.query)


def _names(policy: Policy) -> list[str]:
    """Return the models whose names would tell the tiers apart."""
    return [policy.tier_spec(tier).model for tier in Tier]


def _pair(slot: Slot) -> ShadowPair:
    related = ("request__decision__policy", "request__retrieval", "cheap", "expensive")
    return ShadowPair.objects.select_related(*related).get(pk=slot.pair_id)


def _texts(pair: ShadowPair) -> dict[str, str]:
    """Return what is shown of the answers at most: what is looked at is bounded, too."""
    texts = {Tier.CHEAP.value: pair.cheap.text, Tier.EXPENSIVE.value: pair.expensive.text}
    return {tier: rendering.cut(text) for tier, text in texts.items()}


def _shown_texts(slot: Slot, pair: ShadowPair) -> dict[str, str]:
    """Return the texts of a showing by the tier whose place they take.

    Of a repeat, the second answer takes the place of CHEAP: "expensive was better" then says that
    the first was. So does the answer on another retrieval.
    """
    texts = _texts(pair)
    if slot.kind == Slot.Kind.AGAIN:
        texts[Tier.CHEAP.value] = rendering.cut(pair.repeat.second.text)
    elif slot.kind == Slot.Kind.RETRIEVAL:
        texts[Tier.CHEAP.value] = rendering.cut(pair.alternative.other.text)
    return texts


def blind(shown: Presentation) -> Blind:
    """Return what the rater may see of a pair."""
    pair = _pair(shown.slot)
    left, right = _sides(shown, pair)
    payload, found = sources.without(pair.request.payload), _sources(shown, pair)
    return Blind(
        token=str(shown.token),
        query_html=rendering.plain(pair.request.query),
        turns_html=_earlier_turns(payload),
        prefill_html=_prefill(payload),
        left_html=rendering.markdown(left),
        right_html=rendering.markdown(right),
        is_long=rendering.fold(left, right),
        has_sources=found is not None,
        sources=passages.shown(found.sources) if found else (),
        n_sources=len(found.sources) if found else 0,
    )


def sides(shown: Presentation) -> tuple[str, str]:
    """Return the texts that the rater sees left and right."""
    return _sides(shown, _pair(shown.slot))


def _sides(shown: Presentation, pair: ShadowPair) -> tuple[str, str]:
    """Return the texts on the left and on the right; of an identical pair, one of them twice."""
    texts = _as_told(_shown_texts(shown.slot, pair), pair, shown.slot.study)
    left, right = texts[shown.left], texts[Tier(shown.left).other.value]
    if shown.slot.kind == Slot.Kind.RETRIEVAL and (found := _sources(shown, pair)):
        return passages.renumbered(left, found.left), passages.renumbered(right, found.right)
    return (left, left) if shown.slot.kind == Slot.Kind.IDENTICAL else (left, right)


def has_sources(shown: Presentation) -> bool:
    """Return whether something was looked up for what is shown."""
    return _sources(shown, _pair(shown.slot)) is not None


def _sources(shown: Presentation, pair: ShadowPair) -> Merged | None:
    """Return the sources of both answers; two retrievals come in one list, the left one's first."""
    served = passages.of(pair)
    if served is None or shown.slot.kind != Slot.Kind.RETRIEVAL:
        return None if served is None else Merged(served)
    sides = (served, pair.alternative.sources)
    return passages.merge(*(sides if shown.left == Tier.EXPENSIVE else sides[::-1]))


def told(pair: ShadowPair, study: Study) -> dict[str, str]:
    """Return both answers as the study shows them, by tier."""
    return _as_told(_texts(pair), pair, study)


def _as_told(texts: dict[str, str], pair: ShadowPair, study: Study) -> dict[str, str]:
    return {tier: _told(text, pair, study) for tier, text in texts.items()}


def _told(text: str, pair: ShadowPair, study: Study) -> str:
    """Return an answer as the study shows it: leaks masked, style made alike."""
    if study.masks_leaks:
        text = leaks.mask(text, _found(text, pair))
    return style.normalise(text) if study.normalises_style else text


def _earlier_turns(payload: dict[str, Any]) -> list[SafeString]:
    """Return the system prompt and the turns before the last user turn, rendered."""
    system = payload.get("system")
    turns = [rendering.plain(f"System: {text_of(system)}")] if system else []
    messages = payload.get("messages", [])
    return turns + [_turn(turn) for turn in messages[: last_user_turn(messages)]]


def _prefill(payload: dict[str, Any]) -> list[SafeString]:
    """Return what follows the last user turn: the beginning that both answers had to continue."""
    messages = payload.get("messages", [])
    return [_turn(turn) for turn in messages[last_user_turn(messages) + 1 :]]


def _turn(turn: dict[str, Any]) -> SafeString:
    return rendering.plain(f"{turn['role'].capitalize()}: {text_of(turn['content'])}")


def meaning(rating: Rating) -> Meaning:
    """Return what a rating says by tier."""
    left = Tier(rating.presentation.left)
    said = [
        (rating.left_adequate, rating.left_supported),
        (rating.right_adequate, rating.right_supported),
    ]
    cheap, expensive = said if left is Tier.CHEAP else said[::-1]
    preference = _preference(_CHOICE(rating.choice), left)
    return Meaning(preference, cheap[0], expensive[0], cheap[1], expensive[1])


def step(rating: Rating) -> int | None:
    """Return how far a rating prefers the expensive answer, -2 to 2; None for both bad.

    Both bad says nothing about which is better: it is neither the middle nor an end.
    """
    towards_right = _STEP.get(_CHOICE(rating.choice))
    if towards_right is None:
        return None
    return -towards_right if Tier(rating.presentation.left) is Tier.EXPENSIVE else towards_right


def side(rating: Rating) -> str | None:
    """Return the side that a rating prefers, left or right; None when it prefers neither."""
    return _SIDE.get(_CHOICE(rating.choice))


def _preference(choice: Rating.Choice, left: Tier) -> str:
    if choice in _NO_SIDE:
        return _NO_SIDE[choice].value
    better = left if _SIDE[choice] == "left" else left.other
    return (_PREFERENCE.CHEAP if better is Tier.CHEAP else _PREFERENCE.EXPENSIVE).value


def better_side(preference: str, left: str) -> str:
    """Return a preference in a rater's words: A, B, or neither."""
    if preference not in (_PREFERENCE.CHEAP, _PREFERENCE.EXPENSIVE):
        return {"tie": "about equal", "both_bad": "both bad"}[preference]
    return "A is better" if preference == left else "B is better"


def verdict(rating: Rating) -> Verdict:
    """Return the verdict of a rating, by tier, not yet written."""
    said, slot = meaning(rating), rating.presentation.slot
    return Verdict(
        study_id=slot.study_id,
        pair_id=slot.pair_id,
        rater=rating.presentation.rater,
        rating=rating,
        preference=said.preference,
        cheap_adequate=said.cheap_adequate,
        expensive_adequate=said.expensive_adequate,
        cheap_supported=said.cheap_supported,
        expensive_supported=said.expensive_supported,
    )


def unblind(rating: Rating) -> Verdict:
    """Write the verdict of a rating, by tier."""
    row = verdict(rating)
    row.save()
    return row
