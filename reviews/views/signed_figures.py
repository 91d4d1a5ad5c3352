"""What evidence says, in words: never an estimate without its interval and n."""

from __future__ import annotations

from typing import Any

from reviews import covering, sentences
from reviews.models import Rater


def rows(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is signed, as it was frozen; evidence of an earlier version says less."""
    point = content["point"]
    share = f"{percent(point['cheap_share'])} ({point['cheap_count']} of {content['n_frame']})"
    by = dict(Rater.Kind.choices).get(content["raters"], content["raters"])
    waiting, newer = content.get("n_waiting", 0), content.get("n_newer", 0)
    return [
        *_certified(content),
        *_thin(content),
        ("Study", f"{content['study']['name']}, router {content['router']['name']}"),
        ("Models", _models(content.get("models", {}))),
        ("Floor", f"at most {percent(content['floor'])} made worse; {_floor(content)}"),
        ("Cheap share", f"{share} pairs"),
        ("Made worse, of all requests", _interval(point, "degradation", "n_harm")),
        ("Adequate among cheap-routed", _interval(point, "adequacy", "n_adequacy")),
        ("Saving", saving(point)),
        ("Requests without a pair", _missing(content)),
        ("Rated", f"{content['n_rated']} of {content['n_selected']} drawn, by: {by}"),
        ("Not counted yet", f"{waiting} rated pairs and {newer} newer ones"),
    ]


def percent(value: float | None) -> str:
    """Return a share in percent, or that it is not known."""
    return "unknown" if value is None else f"{100 * value:.1f} %"


def saving(point: dict[str, Any]) -> str:
    """Return the share; evidence holds no interval of it, and none is made up."""
    share = percent(point["saving_share"])
    known = point["saving_share"] is not None
    return f"{share} of the recorded costs, without an interval" if known else share


def _interval(point: dict[str, Any], name: str, n: str) -> str:
    low, high = percent(point[f"{name}_low"]), percent(point[f"{name}_high"])
    doubt = "; the weights are too unequal for it" if point.get("weights_too_unequal") else ""
    return f"{percent(point[name])} (95 % {low} to {high}{doubt}, n = {point[n]})"


def _certified(content: dict[str, Any]) -> list[tuple[str, str]]:
    return [("Signed is", sentences.of(content))] if "certificate" in content else []


def _thin(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Return which task types have a larger threshold than others on too few ratings."""
    if "certificate" not in content:
        return []
    asked = content["threshold"], content["thresholds"]
    found = covering.thin(content["certificate"], *asked)
    named = ", ".join(f"{task} {n}" for task, n in found.items())
    said = f"rated pairs of {named}; {covering.FEWEST_PER_TASK} are needed to say anything of one"
    return [("Too little evidence by itself", said)] if found else []


def _models(identity: dict[str, dict[str, str]]) -> str:
    return ", ".join(f"{who['model']} ({who['provider']})" for who in identity.values()) or "–"


def _floor(content: dict[str, Any]) -> str:
    """Return in words where the interval lies; it is pointwise and certifies nothing."""
    point, floor = content["point"], content["floor"]
    if point["degradation_low"] > floor:
        return "the whole interval lies above it"
    return (
        "the interval reaches above it"
        if point["degradation_high"] > floor
        else "the interval ends below it"
    )


def _missing(content: dict[str, Any]) -> str:
    """Return how many requests the figures leave out, and why."""
    reasons = content.get("missing") or {}
    return ", ".join(f"{n} ({why})" for why, n in reasons.items()) or "none"


def changes(content: dict[str, Any]) -> list[dict[str, str]]:
    """Return what is live and what is asked for, side by side, as it was frozen.

    Nothing for evidence of an earlier version, which does not hold what was live.
    """
    if "point_live" not in content:
        return []
    now, then = content["point_live"], content["point"]
    return [
        {"label": label, "before": show(now), "after": show(then)}
        for label, show in (
            ("Threshold", _thresholds),
            ("Requests that go to the cheap tier", lambda point: percent(point["cheap_share"])),
            ("Made worse, of all requests", lambda point: _at(point, "degradation", "n_harm")),
            ("Adequate among cheap-routed", lambda point: _at(point, "adequacy", "n_adequacy")),
            ("Saving against always expensive", saving),
        )
    ]


def _thresholds(point: dict[str, Any]) -> str:
    """Return the threshold of all requests, then those of task types."""
    by_task = sentences.by_task(point.get("thresholds", {}))
    return ", ".join(filter(None, [f"{point['threshold']:.2f}", by_task]))


def _at(point: dict[str, Any], name: str, n: str) -> str:
    """Return an interval in words, or nothing to say where nothing is routed cheap."""
    return "–" if point[name] is None else _interval(point, name, n)
