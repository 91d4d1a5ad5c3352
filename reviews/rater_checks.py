"""Checks of raters and judges: sides, agreement, habit, blinding, leaks, admission."""

from __future__ import annotations

import math

import numpy as np

from reviews import frames
from reviews.checkup import FEWEST, Check, P, p_words, too_few
from reviews.stats import agreement, blindness, judge, positions, ratios
from reviews.vitals import ANSWERS, CANNOT, Vitals
from routing.types import Tier

#: ln of the odds against a fair coin that no day may reach.
_ODDS = math.log(1000)
#: Below both, raters do not agree.
_LOW_ALPHA, _LOW_AC1 = 0.4, 0.6
_GUESSES_SURE, _GUESSES_FAIL = 0.998, 0.1
_LEAKS_WARN = 0.05


def sides(vitals: Vitals) -> Check:
    """Compare how often each tier stood on the left, over all days and whenever looked at."""
    about, days = ("sides", "Sides"), sorted({side.day for side in vitals.sides})
    counts = np.zeros((len(days), 2), np.int64)
    for side in vitals.sides:
        counts[days.index(side.day), int(side.left == Tier.EXPENSIVE)] += side.n
    left, n = int(counts[:, 0].sum()), int(counts.sum())
    if n < FEWEST:
        return too_few(about, n, "pairs were shown")
    p = ratios.fair(left, n)
    text = f"The cheap model stood on the left in {left:,} of {n:,} showings"
    if p < P or ratios.daily(counts, [0.5, 0.5]).max() >= _ODDS:
        return Check(*about, "fail", f"{text}: no fair coin{p_words(p)}.", n, _SIDED)
    return Check(*about, "ok", f"{text}, as a fair coin would.", n)


_SIDED = "Find out who hands pairs out with a fixed side; what was rated since then is not blind."


def agree(vitals: Vitals) -> Check:
    """Say whether raters of one pair agree; their mean opinion is estimated, if they do or not."""
    about, matrix, weight = ("agreement", "Agreement"), *_shared(vitals)
    n = len(matrix)
    if n < FEWEST:
        return too_few(about, n, "pairs were rated twice")
    answers = list(range(len(ANSWERS)))
    alpha = agreement.krippendorff(matrix, answers, "nominal", weight)
    ac1 = agreement.gwet(matrix, answers, weight)
    same = agreement.percent(matrix, answers, weight)
    figures = f"α {alpha:.2f}" if not math.isnan(alpha) else "α undefined"
    text = (
        f"Two raters prefer the same in {same:.0%} of pairs rated twice ({figures}, AC1 {ac1:.2f})"
    )
    if alpha < _LOW_ALPHA and ac1 < _LOW_AC1:
        more = ": they do not agree, and what is promised is about their mean opinion."
        todo = "Settle disagreements on the Adjudicate page and sharpen the guidelines."
        return Check(*about, "warn", text + more, n, todo)
    return Check(*about, "ok", f"{text}.", n)


def _shared(vitals: Vitals) -> tuple[np.ndarray, np.ndarray]:
    """Return the preferences of pairs with two or more, nan where nobody more spoke, and weights.

    Raters are taken in turn: no coefficient asks who they are.
    """
    said, draws = vitals.said, vitals.draws
    spoke = (said.code >= 0) & (said.code < CANNOT) & np.isin(said.pair_id, draws.pair_id)
    names, first, counts = np.unique(said.pair_id[spoke], return_index=True, return_counts=True)
    matrix = np.full((names.size, int(counts.max(initial=1))), np.nan)
    turn = np.arange(counts.sum()) - np.repeat(first, counts)
    matrix[np.repeat(np.arange(names.size), counts), turn] = said.code[spoke]
    places, _ = frames.places(draws.pair_id, names)
    several = places[counts > 1]
    pi = np.where(draws.pi > 0, draws.pi, 1.0) * draws.rate
    return matrix[counts > 1], 1 / pi[several]


def position(vitals: Vitals) -> Check:
    """Say whether the side an answer stands on decides votes."""
    about, said = ("position", "Side habit"), vitals.said
    decisive = said.won >= 0
    n = int(decisive.sum())
    if n < FEWEST:
        return too_few(about, n, "votes were decisive")
    found = positions.position_effect(said.won[decisive] == 1, said.rater_id[decisive].tolist())
    text = f"The left answer won {found.share_left:.0%} of {n:,} decisive votes"
    alone = min(rater.p_holm for rater in found.raters)
    if found.p_value < P or alone < P:
        todo = "See who on the Raters page; their side is drawn by a coin, so no tier gains."
        return Check(*about, "warn", f"{text}: some raters have a habit.", n, todo)
    return Check(*about, "ok", f"{text}: no habit beyond chance.", n)


def blinding(vitals: Vitals) -> Check:
    """Say whether raters can tell which answer is the expensive one."""
    about, told = ("blinding", "Blinding"), vitals.guesses
    right, wrong, unknown = (told[word] for word in ("right", "wrong", "unknown"))
    n = right + wrong + unknown
    if n < FEWEST:
        return too_few(about, n, "guesses of the origin were made")
    index = blindness.blinding_index(right, wrong, unknown)
    sure = blindness.blinding_index(right, wrong, unknown, _GUESSES_SURE)
    text = (
        f"Asked which model answered, raters were right {right:,} times and wrong {wrong:,} times"
    )
    if sure.interval.low > _GUESSES_FAIL:
        return Check(*about, "fail", f"{text}: they are not blind.", n, _TELLING)
    if index.interval.low > 0:
        return Check(*about, "warn", f"{text}: more often than by guessing.", n, _TELLING)
    return Check(*about, "ok", f"{text}: no more than by guessing.", n)


_TELLING = "Mask leaks and normalise style in the plan of the next study; look at what tells."


def leaks(vitals: Vitals) -> Check:
    """Count the pairs shown whose answers held what could tell the model."""
    about, found = ("leaks", "Leaks"), vitals.leaks
    if found.n < FEWEST:
        return too_few(about, found.n, "pairs were shown")
    alone = found.cheap_only + found.expensive_only
    leaking = alone + found.both
    text = f"{leaking:,} of {found.n:,} pairs shown held something that could tell the model"
    if ratios.fair(found.cheap_only, alone) < P:
        return Check(*about, "warn", f"{text}, mostly on one side.", found.n, _TELLING)
    if leaking / found.n > _LEAKS_WARN:
        return Check(*about, "warn", f"{text}.", found.n, _TELLING)
    return Check(*about, "ok", f"{text}.", found.n)


def judges(vitals: Vitals) -> Check | None:
    """Say whether the judges may stand beside people, on whom every certificate rests."""
    about, seen = ("judge", "Judge"), vitals.judge
    if seen is None:
        return None
    draws = vitals.draws
    compared = overlap(draws.selected, draws.pi * draws.rate, vitals.harm, seen.harm)
    admitted = [judge.admission(flips, compared) for flips in seen.flips.values()]
    if all(one.use != "disabled" for one in admitted):
        text = f"Admitted beside people: correlation {compared.phi:.2f} on {compared.n:,} pairs."
        return Check(*about, "ok", text, compared.n)
    if compared.n < FEWEST:
        return too_few(about, compared.n, "pairs were rated by people and judge")
    reasons = dict.fromkeys(why for one in admitted for why in one.reasons)
    text = f"Not admitted beside people: {'; '.join(reasons)}."
    return Check(*about, "warn", text, compared.n, "Estimates from people stand by themselves.")


def overlap(
    drawn: np.ndarray, pi: np.ndarray, people: np.ndarray, judged: np.ndarray
) -> judge.Overlap:
    """Return how the judges go with people on the drawn pairs that both rated; each array (N,)."""
    both = drawn & (pi > 0) & ~np.isnan(people) & ~np.isnan(judged)
    return judge.overlap(judged[both], people[both], 1 / pi[both])
