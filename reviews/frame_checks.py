"""Checks of what was drawn and what of it is there: the draw, missing pairs, drift, versions."""

from __future__ import annotations

import numpy as np

from reviews.checkup import FEWEST, Check, P, listed, p_words, too_few
from reviews.stats import drift, missingness, ratios
from reviews.vitals import CANNOT, Vitals
from routing.types import Tier

#: Of each half of the frame, to compare their scores.
_FEWEST_SCORES = 100
_Z = 3.3
_BANDS = 5
_MISSING_WARNS, _MISSING_FAILS = 0.01, 0.05
_UNJUDGED_WARNS = 0.02
_TIE_WARNS = 0.01
_COSTS_WARN = 0.005
#: A name with less of the answers is no other model.
_MODEL_COUNTS = 0.01


def sampling(vitals: Vitals) -> Check:
    """Compare how many pairs were drawn with their probabilities, by fifths of the scores."""
    draws, about = vitals.draws, ("sampling", "Sampling ratio")
    matters = (draws.pi > 0) | draws.selected
    n = int(matters.sum())
    band = (np.clip(np.nan_to_num(draws.score[matters]), 0, 0.999) * _BANDS).astype(np.int64)
    found = ratios.sampling(draws.selected[matters], draws.pi[matters], band)
    text = f"{found.drawn.sum():,} pairs were drawn where {found.expected.sum():,.0f} were expected"
    if found.p_value < P:
        return Check(*about, "fail", f"{text}: not by chance{p_words(found.p_value)}.", n, _REDRAWN)
    if n < FEWEST:
        return too_few(about, n, "pairs could be drawn")
    return Check(*about, "ok", f"{text}, in every part of the scores within chance.", n)


_REDRAWN = (
    "The stored probabilities are not those of the draw. Start a new study; "
    "nothing that was rated here can be weighted."
)


def balance(vitals: Vitals) -> Check:
    """Compare what is known of all pairs with what the drawn ones say of it."""
    draws, about = vitals.draws, ("balance", "Balance of the sample")
    could = draws.pi > 0
    n = int((draws.selected & could).sum())
    if n < FEWEST:
        return too_few(about, n, "pairs were drawn")
    known = {name: x[could] for name, x in _known_of_all(vitals).items()}
    pi, drawn = draws.pi[could], draws.selected[could]
    z = {name: ratios.balance(_filled(x), drawn, pi) for name, x in known.items()}
    worst = max(z, key=lambda name: abs(z[name]))
    if abs(z[worst]) >= _Z:
        text = f"The drawn pairs’ {worst} is {abs(z[worst]):.1f} standard errors off that of all."
        return Check(*about, "fail", text, n, _REDRAWN)
    text = f"Mean {listed(list(z))} of the drawn pairs are those of all pairs, within chance."
    return Check(*about, "ok", text, n)


def _known_of_all(vitals: Vitals) -> dict[str, np.ndarray]:
    draws = vitals.draws
    known = {
        "score": draws.score,
        "cheap cost": draws.cost_cheap,
        "expensive cost": draws.cost_expensive,
        "time": np.arange(draws.u.size, dtype=np.float64),
    }
    return known | ({"judge’s opinion": vitals.judge.harm} if vitals.judge else {})


def _filled(x: np.ndarray) -> np.ndarray:
    """Return the values with the mean where one is unknown; zeros where all are."""
    known = ~np.isnan(x)
    return np.where(known, x, x[known].mean() if known.any() else 0.0)


def pairs(vitals: Vitals) -> Check:
    """Count the requests without a pair: those that fail are rarely like the others."""
    about, lost = ("missing", "Missing pairs"), vitals.lost
    gone = lost.total()
    n = vitals.draws.u.size + gone
    if n < FEWEST:
        return too_few(about, n, "requests were to have a pair")
    apart = listed([f"{lost[tier]:,} {tier.value}" for tier in Tier])
    text = f"{gone:,} of {n:,} requests ({gone / n:.1%}) have no pair: {apart} answers are missing."
    if gone / n > _MISSING_FAILS:
        return Check(*about, "fail", text, n, _LOSING)
    uneven = [row for row in vitals.deciles if row.differs]
    if uneven:
        text += " They are not spread evenly over the scores."
    is_much = gone / n > _MISSING_WARNS or bool(uneven)
    return Check(*about, "warn" if is_much else "ok", text, n, _LOSING if is_much else "")


_LOSING = (
    "Look at the reasons on the Threshold page; timeouts and errors are mostly hard questions."
)


def redacted(vitals: Vitals) -> Check | None:
    """Say how many requests have no pair since something was taken out of them before storing."""
    n = vitals.not_whole
    if not n:
        return None
    total = vitals.draws.u.size + vitals.lost.total()
    text = (
        f"{n:,} of {total:,} requests ({n / total:.1%}) were not stored whole, and have no pair: "
        "what is rated are requests out of which nothing was taken."
    )
    return Check("redacted", "Redacted requests", "warn", text, total, _NOT_WHOLE)


_NOT_WHOLE = (
    "They count as lost pairs. The certificate knows nothing else of them: let the application "
    "take out what names somebody before it asks."
)


def response(vitals: Vitals) -> Check:
    """Count the pairs that were due and have no judgement: they count as harm."""
    about, due = ("response", "Response"), vitals.due
    n = int(due.sum())
    if n < FEWEST:
        return too_few(about, n, "pairs were rated")
    pair_id, code = vitals.said.pair_id, vitals.said.code
    judged = pair_id[(code >= 0) & (code < CANNOT)]
    hopeless = np.isin(vitals.draws.pair_id, np.setdiff1d(pair_id[code == CANNOT], judged))
    gone = due & (np.isnan(vitals.harm) | hopeless)
    text = f"{gone.sum():,} of {n:,} pairs that were due have no judgement, and count as harm."
    differs = _differs_by_score(vitals, gone)
    if differs:
        text += " They are not spread evenly over the scores."
    is_much = bool(gone.sum() / n > _UNJUDGED_WARNS or differs)
    todo = "Ask raters why they skip; finish the queue." if is_much else ""
    return Check(*about, "warn" if is_much else "ok", text, n, todo)


def _differs_by_score(vitals: Vitals, gone: np.ndarray) -> bool:
    band = (np.clip(np.nan_to_num(vitals.draws.score), 0, 0.999) * _BANDS).astype(np.int64)
    missing, total = (np.bincount(band[rows], minlength=_BANDS) for rows in (gone, vitals.due))
    return bool(missingness.compare(missing, total, alpha=P).differs.any())


def traffic(vitals: Vitals) -> Check:
    """Compare the scores of the first half of the frame with those of the second."""
    about, score = ("drift", "Drift of the scores"), vitals.draws.score
    halves = [half[~np.isnan(half)] for half in np.array_split(score, 2)]
    n = sum(half.size for half in halves)
    if min(half.size for half in halves) < _FEWEST_SCORES:
        return too_few(about, n, "pairs have a score")
    psi, ks = drift.psi(*halves), drift.ks(*halves)
    figures = f"(PSI {psi.value:.2f}, largest distance {ks.distance:.2f})"
    if psi.warns or ks.alarms:
        text = f"Scores of the second half of the window differ from the first {figures}."
        return Check(*about, "warn", text, n, _MOVED)
    return Check(*about, "ok", f"Scores kept their distribution {figures}.", n)


_MOVED = "Do not stop early; the certificate is about the whole window, and tomorrow may differ."


def versions(vitals: Vitals) -> Check:
    """Say whether models, guidelines, judge and plan stayed the same."""
    about, counts = ("versions", "Versions"), vitals.models
    n = int(vitals.draws.selected.sum())
    if n < FEWEST:
        return too_few(about, n, "pairs were drawn")
    for tier in Tier:
        names = [m for (of, m), k in counts.items() if of == tier and k >= _MODEL_COUNTS * n]
        if len(names) > 1:
            text = f"The {tier.value} model changed within the study: {listed(names)} answered."
            return Check(*about, "fail", text, n, "Start a new study with the models of now.")
    changed = _changed(vitals)
    if changed:
        text = f"Changed within the study: {listed(changed)}."
        return Check(*about, "warn", text, n, "It is printed with the results; say why.")
    return Check(*about, "ok", "Models, guidelines, judge and plan stayed the same.", n)


def live(vitals: Vitals) -> Check | None:
    """Say that an alarm made a sign-off of this study stale: signed again it is as stale."""
    if not vitals.drifted:
        return None
    text = f"Traffic is no longer what was studied: {vitals.drifted}"
    todo = "Start a new study of the traffic of now."
    return Check("live", "After go-live", "fail", text, vitals.draws.u.size, todo)


def _changed(vitals: Vitals) -> list[str]:
    changed = [f"the plan’s {field.replace('_', ' ')}" for field in vitals.changes]
    if len(vitals.guidelines) > 1:
        changed.append("the guidelines")
    if vitals.judge and len(vitals.judge.flips) > 1:
        changed.append("the judge")
    return changed


def ties(vitals: Vitals) -> Check:
    """Say whether many requests share a score, so that no threshold divides them."""
    about, draws = ("ties", "Equal scores"), vitals.draws
    n = int((~np.isnan(draws.score)).sum())
    if n < FEWEST:
        return too_few(about, n, "pairs have a score")
    found = ratios.tie(draws.score, 1 / draws.rate)
    if found.share > _TIE_WARNS:
        text = f"The score {found.score:.3g} is that of {found.share:.1%} of the traffic."
        todo = "A threshold at this score moves all of it at once; name one beside it."
        return Check(*about, "warn", text, n, todo)
    text = f"No score is that of more than {_TIE_WARNS:.0%} of the traffic."
    return Check(*about, "ok", text, n)


def costs(vitals: Vitals) -> Check:
    """Count the pairs whose cost is unknown: they are left out of what is saved."""
    about, draws = ("costs", "Known costs"), vitals.draws
    n = draws.u.size
    if n < FEWEST:
        return too_few(about, n, "pairs are there")
    unknown = int((np.isnan(draws.cost_cheap) | np.isnan(draws.cost_expensive)).sum())
    text = f"{unknown:,} of {n:,} pairs have an unknown cost."
    is_much = unknown / n > _COSTS_WARN
    todo = "Give the models a price; pairs without one are left out of what is saved."
    return Check(*about, "warn" if is_much else "ok", text, n, todo if is_much else "")
