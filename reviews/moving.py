"""What later ratings moved of what was frozen, in sentences. Pure: dicts of evidence in, words out.

Of a certificate it is the thresholds that it names. Figures that carry no certificate are moved
when the estimate of now lies outside the 95 % interval that was signed: while later ratings agree
with earlier ones that is rare, and a figure that nobody would sign so is not approved.
"""

from __future__ import annotations

from typing import Any

from reviews.sentences import percent

#: The figures with an interval, and what they are shares of.
_FIGURES = {
    "degradation": "of all requests are made worse",
    "adequacy": "of the cheap answers are good enough",
}


def certificate(frozen: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return how what is certified moved; nothing where it did not."""
    if _certified(frozen) == _certified(now):
        return []
    before, after = (_in_words(one["threshold"]) for one in (frozen, now))
    if before == after:
        return ["Later ratings move what is certified for single tasks."]
    return [f"Later ratings move what is certified from {before} to {after}."]


def _certified(one: dict[str, Any]) -> tuple[float | None, dict[str, float | None]]:
    by_task = {task: own["threshold"] for task, own in one["by_task"].items()}
    return one["threshold"], by_task


def _in_words(threshold: float | None) -> str:
    return "nothing" if threshold is None else f"{threshold:.2f}"


def figures(frozen: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the figures of a point that lie outside their frozen intervals now.

    Example:
        >>> frozen = {"degradation_low": 0.0, "degradation_high": 0.3}
        >>> figures(frozen, {"degradation": 0.3, "adequacy": None})
        []
        >>> figures(frozen, {"degradation": 0.5, "adequacy": None})[0][:54]
        'By later ratings 50.0 % of all requests are made worse'
    """
    return [
        f"By later ratings {percent(now[name])} {what}; the interval that was frozen ends at"
        f" {percent(frozen[f'{name}_low'])} and {percent(frozen[f'{name}_high'])}."
        for name, what in _FIGURES.items()
        if now[name] is not None
        and not frozen[f"{name}_low"] <= now[name] <= frozen[f"{name}_high"]
    ]
