"""What a certificate covers of what is asked for, and what stands against it."""

from __future__ import annotations

from typing import Any

from reviews.stats.selection import FEWEST_PER_TASK
from routing import policy
from routing.tasktypes import UNKNOWN


def is_certified(
    certificate: dict[str, Any],
    blocked_by: list[str],
    threshold: float,
    thresholds: dict[str, float],
) -> bool:
    """Return whether what is asked for is covered and nothing stands against it."""
    if blocked_by and not is_always_expensive(threshold, thresholds):
        return False
    return certifies(certificate, threshold, thresholds)


def certifies(certificate: dict[str, Any], threshold: float, thresholds: dict[str, float]) -> bool:
    """Return whether a final certificate covers what is asked for.

    It covers every threshold up to its own: with fewer requests routed cheap, no more are made
    worse; thresholds by task type likewise. Where the plan spent its error on task types, each is
    covered by the certificate of its own, and a task without one may route nothing cheap. Always
    expensive needs no certificate. Adequacy can fall with fewer requests: with that floor too, only
    thresholds that were tested are covered, and no mixture of them.

    Example:
        >>> whole = {"is_final": True, "is_by_task": False, "threshold": 0.6, "by_task": {},
        ...          "adequacy_floor": None}
        >>> certifies(whole, 0.6, {}), certifies(whole, 0.6, {"math": 0.7})
        (True, False)
        >>> tasks = whole | {"is_by_task": True, "by_task": {"math": {"threshold": 0.8}}}
        >>> certifies(tasks, 0.0, {"math": 0.8}), certifies(tasks, 0.5, {"math": 0.8})
        (True, False)
    """
    if is_always_expensive(threshold, thresholds):
        return True
    if not certificate["is_final"]:
        return False
    is_second = certificate.get("adequacy_floor") is not None
    if certificate["is_by_task"]:
        return _covers_tasks(certificate["by_task"], threshold, thresholds, is_exact=is_second)
    if is_second:
        tested = {one["threshold"] for one in certificate["grid"] if one["certified"]}
        return threshold in tested and {*thresholds.values()} <= {threshold}
    largest = max([threshold, *thresholds.values()])
    return certificate["threshold"] is not None and largest <= certificate["threshold"]


def _covers_tasks(
    by_task: dict[str, Any], threshold: float, thresholds: dict[str, float], *, is_exact: bool
) -> bool:
    """Return whether each task type goes by a threshold that its own certificate covers."""
    asked = {task: thresholds.get(task, threshold) for task in {*by_task, *thresholds}}
    cheap = {task: at for task, at in asked.items() if at > policy.ALWAYS_EXPENSIVE}
    own = {task: (by_task.get(task) or {}).get("threshold") or 0.0 for task in cheap}
    if threshold > policy.ALWAYS_EXPENSIVE:
        return False
    return all(at == own[task] or at < own[task] and not is_exact for task, at in cheap.items())


def by_rule(
    certificate: dict[str, Any], threshold: float, thresholds: dict[str, float]
) -> dict[str, float]:
    """Return thresholds by task type where all others shall stay with EXPENSIVE.

    A task type that has none of its own goes by the one threshold while there is enough evidence
    of it alone. What is unknown, was not seen, or has too few rated pairs is named nowhere.

    Example:
        >>> tasks = {"math": {"n_rated": 80}, "law": {"n_rated": 9}, "unknown": {"n_rated": 90}}
        >>> by_rule({"by_task": tasks}, 0.4, {"code": 0.2})
        {'math': 0.4, 'code': 0.2}
    """
    enough = (task for task in certificate["by_task"] if not _is_thin(certificate, task))
    return {task: threshold for task in enough if task != UNKNOWN} | thresholds


def thin(
    certificate: dict[str, Any], threshold: float, thresholds: dict[str, float]
) -> dict[str, int]:
    """Return the task types that shall send more to CHEAP than others on too little evidence.

    Each with its rated pairs, of which it takes `FEWEST_PER_TASK`.

    Example:
        >>> thin({"by_task": {"math": {"n_rated": 9}}}, 0.2, {"math": 0.3, "law": 0.1, "code": 0.3})
        {'code': 0, 'math': 9}
    """
    raised = sorted(task for task, at in thresholds.items() if at > threshold)
    return {t: _n_rated(certificate, t) for t in raised if _is_thin(certificate, t)}


def _n_rated(certificate: dict[str, Any], task: str) -> int:
    return int((certificate["by_task"].get(task) or {}).get("n_rated") or 0)


def _is_thin(certificate: dict[str, Any], task: str) -> bool:
    return _n_rated(certificate, task) < FEWEST_PER_TASK


def blocks(content: dict[str, Any]) -> list[str]:
    """Return what stands against a certificate, a sentence each.

    A check of the study's health that fails: the certificate rests on its design. A guardrail of
    its plan that is breached.
    """
    failing = (one for one in content["health"] if one["level"] == "fail")
    breached = (one for one in content["guardrails"] if one["level"] == "breached")
    return [f"{one['label']}: {one['text']}" for one in failing] + [
        f"Guardrail: {one['text']}" for one in breached
    ]


def new_blocks(now: dict[str, Any], frozen: dict[str, Any]) -> list[str]:
    """Return what stands against it now and did not when it was frozen: that was seen and signed.

    Example:
        >>> frozen = {"health": [], "guardrails": [{"metric": "thumb", "level": "ok"}]}
        >>> breached = {"metric": "thumb", "level": "breached", "text": "Thumb up: seen."}
        >>> new_blocks({"health": [], "guardrails": [breached]}, frozen)
        ['Guardrail: Thumb up: seen.']
    """
    return blocks({kind: _new(now[kind], frozen[kind]) for kind in ("health", "guardrails")})


def _new(now: list[dict[str, Any]], frozen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the checks, or the guardrails, that are at another level than they were."""
    known = {(_name(one), one["level"]) for one in frozen}
    return [one for one in now if (_name(one), one["level"]) not in known]


def _name(one: dict[str, Any]) -> str:
    """Return the name of a check, or the metric of a guardrail."""
    return str(one.get("name") or one["metric"])


def is_always_expensive(threshold: float, thresholds: dict[str, float]) -> bool:
    """Return whether nothing goes to CHEAP: that needs no certificate, and nothing forbids it."""
    return max([threshold, *thresholds.values()]) <= policy.ALWAYS_EXPENSIVE
