"""The one sentence on top of the threshold page: what is known, never an estimate in its place.

Pure: points and plans in, words out. The server writes the sentence of every threshold, so that
the page says the same with a script and without one. What evidence says stands in `sentences`.
"""

from __future__ import annotations

import math
from typing import Any

#: What a request suffers that counts as a loss, by the plan's name of it.
_SUFFERS = {
    "harm": "get a worse answer",
    "inadequate": "get an answer that is not good enough",
    "strict_harm": "get a worse answer that is not good enough",
}
_ALL = "of all requests"


def most(floor: float, loss: str, of: str = _ALL) -> str:
    """Return what a floor promises.

    Args:
        floor: in (0, 1).
        loss: its name in the plan.
        of: whose share it is.

    Example:
        >>> most(0.1, "harm")
        'at most 10 % of all requests get a worse answer'
        >>> most(0.005, "inadequate", "of them")
        'at most 0.5 % of them get an answer that is not good enough'
    """
    return f"at most {100 * floor:g} % {of} {_SUFFERS[loss]}"


def of(point: dict[str, Any], plan: dict[str, Any]) -> str:
    """Return the sentence of one threshold for all requests.

    Args:
        point: of the curve, as `operating` returns it.
        plan: as `operating` returns it.
    """
    at = f"At {point['threshold']:.2f}"
    if point["cheap_share"] is None:
        return f"{at}, nothing is known: there are no pairs."
    if not point["cheap_count"]:
        return (
            f"{at}, every request goes to the expensive model: nothing gets worse and nothing is "
            "saved."
        )
    routed = f"{at}, {share(point['cheap_share'])} of requests go to the cheap model"
    return _joined(f"{routed}{_quality(point, plan)}", saving(point, plan))


def by_task(chosen: dict[str, Any], plan: dict[str, Any]) -> str:
    """Return the sentence of thresholds by task type, each with its own.

    Args:
        chosen: how many of the task types have one, the cheap share and money a month.
        plan: as `operating` returns it.
    """
    sure = f"{100 * plan['confidence']:g} % sure"
    if not chosen["n_certified"]:
        promise = most(plan["floor"], plan["loss"], "of its requests")
        return (
            f"For no task type are we {sure} that {promise}: everything stays with the expensive "
            "model."
        )
    are = (
        f"we are {sure}"
        if plan["is_final"]
        else f"if the window had ended with these ratings, we would be {sure}"
    )
    promise = most(plan["floor"], plan["loss"], "of the requests of each of these types")
    routed = (
        f"With a threshold of their own for {chosen['n_certified']} of {chosen['n_tasks']} task "
        f"types, {share(chosen['cheap_share'])} of all requests go to the cheap model"
    )
    return _joined(f"{routed}; {are} that {promise}", saving(chosen, plan))


def _quality(point: dict[str, Any], plan: dict[str, Any]) -> str:
    """Return how sure we are, as the middle of a sentence or as sentences that end it."""
    if not plan["is_certifying"]:
        return (
            ". Whether the floor holds is not said of a part of the traffic, nor by a judge alone."
        )
    sure = f"{100 * plan['confidence']:g} % sure that {most(plan['floor'], plan['loss'])}"
    if plan["is_by_task"]:
        return ". Not certified: this plan certifies a threshold for each task type, not one."
    if not point["certified"]:
        why = _untested(point, plan) or f"we are not {sure}."
        return " ".join([f". Not certified: {why}", *_instead(plan)])
    for_free = ", which takes no rating: no more are cheap" if point["trivially_safe"] else ""
    now = (
        "we are" if plan["is_final"] else "if the window had ended with these ratings, we would be"
    )
    return f"; {now} {sure}{for_free}"


def _untested(point: dict[str, Any], plan: dict[str, Any]) -> str:
    """Return why a threshold whose harm is no question is not certified: adequacy; else nothing.

    Harm holds below a threshold where it holds, and where no more traffic than the floor is cheap.
    """
    if plan["certified"] is not None and point["threshold"] < plan["certified"]:
        return "too few ratings lie below it to test how many of these answers are good enough."
    if point["trivially_safe"]:
        return (
            "so few requests lie below that the floor for harm holds, but that enough of these "
            "answers are good enough is not shown."
        )
    return ""


def _instead(plan: dict[str, Any]) -> list[str]:
    """Return what there is in place of a certificate, or what it takes to have one."""
    if plan["is_final"] and plan["certified"] is not None:
        return [f"The largest certified threshold is {plan['certified']:.2f}."]
    return [plan["missing"]] if plan["missing"] else []


def saving(row: dict[str, Any], plan: dict[str, Any]) -> str:
    """Return what a month saves with its interval, or why that is not known."""
    usd, low, high = (row[name] for name in ("month_usd", "month_usd_low", "month_usd_high"))
    if usd is None:
        return str(plan["no_money"])
    days = f"from {plan['n_days']} days"
    if usd < 0:
        return (
            f"about {money(-usd)} a month more is spent ({money(-high)} to {money(-low)}, {days})"
        )
    return f"about {money(usd)} a month saved ({money(low)} to {money(high)}, {days})"


def _joined(text: str, saved: str) -> str:
    """Return a text with the money behind it, in its last sentence or as one of its own."""
    if not saved:
        return text if text.endswith(".") else f"{text}."
    if text.endswith("."):
        return f"{text} {saved[0].upper()}{saved[1:]}."
    return f"{text}; {saved}."


def share(value: float) -> str:
    """Return a share in whole percent, with the first digit of one that is smaller.

    Example:
        >>> share(0.234), share(0.004), share(0.0)
        ('23 %', '0.4 %', '0 %')
    """
    return f"{100 * value:.1g} %" if 0 < value < 0.01 else f"{100 * value:.0f} %"


def money(usd: float) -> str:
    """Return USD to three digits: more would pretend to know a month.

    Example:
        >>> money(0.0666), money(1234.5), money(-3.6), money(0.0)
        ('$0.0666', '$1,230', '−$3.6', '$0')
    """
    if not usd:
        return "$0"
    digits = max(2 - math.floor(math.log10(abs(usd))), 0)
    text = f"{float(f'{abs(usd):.3g}'):,.{digits}f}"
    return f"{'−' if usd < 0 else ''}${text.rstrip('0').rstrip('.') if '.' in text else text}"
