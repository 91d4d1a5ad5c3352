"""How a certificate is asked for: thresholds, error, order, and whether a judge takes part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reviews.inputs import Inputs, Taken, has_week, taken
from reviews.stats import selection
from reviews.stats.curve import default_thresholds

#: Above every score: everything is cheap.
ALWAYS_CHEAP = 1.01
#: Of the error, for looking while ratings come in; the rest is for the end.
_EARLY_SHARE = 0.2
Order = Literal["hash", "arrival"]


@dataclass(frozen=True)
class Look:
    """One way to ask: order, error and whether the judge takes part."""

    order: Order
    delta: float
    is_final: bool
    judge: bool


def thresholds(plan: dict[str, Any]) -> np.ndarray:
    """Return the thresholds in question: steps of 0.01 up to the plan's largest, and always cheap.

    Example:
        >>> thresholds({"largest_threshold": 0.02}).tolist()
        [0.0, 0.01, 0.02]
    """
    grid = np.append(default_thresholds(), ALWAYS_CHEAP)
    return grid[grid <= plan["largest_threshold"]]


def deltas(plan: dict[str, Any]) -> tuple[float, float]:
    """Return the error spent on looks before the end, and at the end.

    Without early looks nothing is kept for them, and the window's end has all of it. A plan that
    had them at any time since its first rating has spent their part.

    Example:
        >>> deltas({"confidence": 0.95, "early_stop": True})
        (0.01, 0.04)
        >>> deltas({"confidence": 0.95, "early_stop": False})
        (0.05, 0.05)
    """
    delta = 1 - plan["confidence"]
    share, rest = (_EARLY_SHARE, 1 - _EARLY_SHARE) if _has_looks(plan) else (1.0, 1.0)
    return round(share * delta, 12), round(rest * delta, 12)


def _has_looks(plan: dict[str, Any]) -> bool:
    """Return whether the plan keeps a part of its error for looks before the end, or did."""
    changed = (one["field"] for one in plan.get("deviations", ()))
    return plan["early_stop"] or "early_stop" in changed


def too_early(inputs: Inputs, plan: dict[str, Any]) -> str:
    """Return why a study that ends now, before its window, certifies nothing; or nothing.

    Whoever ends it chose the moment, having seen what was rated here or imported. That is allowed
    only where error is kept for such looks, and once the first week has set the plan that all of
    them share.
    """
    if not _has_looks(plan):
        return (
            "Before the end of the window nothing is certified: the plan keeps no error for a "
            "moment that somebody chooses."
        )
    if not has_week(inputs.columns):
        return (
            "Before the first week of its traffic is over nothing is certified: it sets the plan "
            "that all looks share."
        )
    return ""


def may_help(inputs: Inputs, plan: dict[str, Any]) -> bool:
    """Return whether the plan wants a judge's guesses and nothing hinders them."""
    return plan["judge_role"] == "certificate" and not inputs.about.judge_problem


def ask(plan: dict[str, Any], look: Look, rows: Taken) -> dict[str, Any]:
    """Return what every test is asked."""
    return {
        "rows": rows.rows if look.judge else rows.rows._replace(judge=None),
        "thresholds": thresholds(plan),
        "floor": plan["floor"],
        "delta": look.delta,
        "n_plan": rows.n_plan,
        "order": look.order,
        "adequacy_floor": plan["adequacy_floor"],
        "adequate": rows.adequate,
        "loss_name": plan["loss"],
    }


def threshold(inputs: Inputs, plan: dict[str, Any], look: Look) -> float | None:
    """Return what one look certifies, or None, also where there is nothing to look at."""
    rows = taken(inputs, plan, look.order, is_final=look.is_final)
    if rows.n_due == rows.n_waiting:
        return None
    return selection.certify(**ask(plan, look, rows)).threshold
