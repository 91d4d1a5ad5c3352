"""What evidence says, in sentences: for the report and whoever reads it away from the pages.

Pure: a dict of evidence in, words out. Nothing is said without its doubt and its number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from reviews.planfields import CHOICES, GROUPS, NUMBERS, OPTIONAL, SWITCHES

_LOSSES = {
    "harm": "get an answer where the expensive one was better",
    "inadequate": "get a cheap answer that is not good enough",
    "strict_harm": "get a cheap answer that is worse and not good enough",
}
_BASES = {
    "window": "its window was over and every drawn pair counts",
    "early": "it was certified before its window was over",
    "futile": "no useful threshold could hold the floor",
    "by_hand": "it was closed by hand before its window was over",
}
_OTHERS = {
    "hash_order": "by the same test over the window in hash order",
    "arrival_order": "by the same test in order of arrival",
    "without_judge": "by people alone",
    "order_free": "by a test that needs no order",
    "fixed_sample": "by the exact test of a fixed sample",
    "least_of_tasks": "for every task type by itself",
}
_ABOUT = {
    "hash": "It speaks of the requests of the study's window, all of them.",
    "arrival": "It speaks of a stream of requests that stayed as it was during the study.",
}
_RATERS = {"human": "people", "answer_key": "the answer key", "llm_judge": "a judge"}

_PEOPLE = {
    "person.joined": "{name} came in; roles now: {after}; before: {before}.",
    "person.roles": "{name} has other roles; now: {after}; before: {before}.",
    "person.deactivated": "{name} cannot log in any more; roles: {after}.",
    "person.activated": "{name} can log in again; roles: {after}.",
}


def of_person(event: str, subject: str, detail: dict[str, Any]) -> str:
    """Return what an entry of the trail says of somebody's roles; empty when it is about another.

    Example:
        >>> of_person("person.roles", "person 7", {"before": ["rater"], "after": []})
        'Person 7 has other roles; now: none; before: rater.'
    """
    if event not in _PEOPLE or not isinstance(detail, dict):
        return ""
    roles = {key: ", ".join(detail.get(key, ())) or "none" for key in ("before", "after")}
    return _PEOPLE[event].format(name=detail.get("name", subject.capitalize()), **roles)


def percent(share: float | None) -> str:
    """Return a share as text.

    Example:
        >>> percent(0.051), percent(None)
        ('5.1 %', 'unknown')
    """
    return "unknown" if share is None else f"{100 * share:.1f} %"


def by_task(thresholds: dict[str, float]) -> str:
    """Return thresholds by task type in words.

    Example:
        >>> by_task({"writing": 0.4, "math": 0.25})
        'math 0.25, writing 0.40'
    """
    return ", ".join(f"{task} {at:.2f}" for task, at in sorted(thresholds.items()))


def of(content: dict[str, Any]) -> str:
    """Return the evidence in one sentence: what is asked for, and whether it is certified."""
    asked = _asked(content["threshold"], content["thresholds"])
    plan, confidence = content["plan"], 100 * content["certificate"]["confidence"]
    held = f"at most {percent(content['floor'])} of all requests {_LOSSES[plan['loss']]}"
    if content["is_certified"]:
        return f"{asked}: certified, with {confidence:.3g} % confidence, that {held}."
    return f"{asked}: NOT certified that {held}."


def _asked(threshold: float, thresholds: dict[str, float]) -> str:
    """Return which requests go to the cheap model.

    Example:
        >>> _asked(0.0, {"math": 0.4})[-56:]
        'other and unknown task types stay with the expensive one'
    """
    if not thresholds:
        return f"Requests scored below {threshold:.2f} go to the cheap model"
    named = f"Requests scored below their task type's threshold ({by_task(thresholds)})"
    if not threshold:
        rest = "other and unknown task types stay with the expensive one"
    else:
        rest = f"of other and unknown task types those below {threshold:.2f}"
    return f"{named} go to the cheap model, {rest}"


def changes(content: dict[str, Any]) -> list[str]:
    """Return what switches from what is live to what is asked for, of a hundred requests."""
    now, then = content["point_live"], content["point"]
    more = _per_hundred(then["cheap_share"], now["cheap_share"])
    saved = f"{percent(then['saving_share'])} instead of {percent(now['saving_share'])}"
    return [
        *_router(content),
        f"Of 100 requests, {abs(more):.0f} {'fewer' if more < 0 else 'more'} go to the cheap"
        f" model: {percent(then['cheap_share'])} instead of {percent(now['cheap_share'])}.",
        f"Of all requests, {_interval(then, 'degradation', 'n_harm')} are made worse;"
        f" {percent(now['degradation'])} with the live policy.",
        f"Of the answers of the cheap model,"
        f" {_interval(then, 'adequacy', 'n_adequacy')} are good enough.",
        f"Against always asking the expensive model, {saved} of the cost is saved.",
    ]


def _router(content: dict[str, Any]) -> list[str]:
    """Return that another router would decide, or nothing."""
    live = content["policy"]
    if live["router"] == content["router"]["sha256"]:
        return []
    return [
        f"Another router decides: {content['router']['name']} instead of {live['router_name']}."
        " The study compared them on the same requests, which the live one decided."
    ]


def _per_hundred(then: float | None, now: float | None) -> float:
    return 100 * ((then or 0.0) - (now or 0.0))


def _interval(point: dict[str, Any], name: str, n: str) -> str:
    ends = f"{percent(point[f'{name}_low'])} to {percent(point[f'{name}_high'])}"
    return f"{percent(point[name])} ({ends}, n = {point[n]})"


class Item(NamedTuple):
    """One line of a plan: what is planned, in words."""

    name: str
    value: str


def plan(frozen: dict[str, Any]) -> list[Item]:
    """Return the plan as lines, in the order and the words in which it was made."""
    names = [name for group in GROUPS for name in group.fields if name in frozen]
    fields = [Item(label(name), _planned(name, frozen[name])) for name in names]
    window = f"{_day(frozen['window']['begin'])} to {_day(frozen['window']['end'])}"
    rest = [
        Item("Requests of", window),
        Item("Guardrails", _value(frozen["guardrails"])),
        Item("Seed", frozen["seed"]),
    ]
    return [*fields, *rest]


def label(name: str) -> str:
    """Return what a field of the plan is called.

    Example:
        >>> label("rate"), label("masks_leaks"), label("window")
        ('Share drawn to calibrate', 'Mask leaks', 'Window')
    """
    if name in SWITCHES:
        return SWITCHES[name][0]
    field = NUMBERS.get(name) or OPTIONAL.get(name) or CHOICES.get(name)
    return field.label if field else name.replace("_", " ").capitalize()


def deviations(frozen: dict[str, Any]) -> list[dict[str, str]]:
    """Return each change of a locked plan, in words."""
    return [
        {
            "field": label(one["field"]),
            "before": _planned(one["field"], one["before"]),
            "after": _planned(one["field"], one["after"]),
            "reason": one["reason"],
            "by": one["by"] or "the service",
            "at": _day(one["at"]),
            "n_rated": str(one["n_rated"]),
        }
        for one in frozen["deviations"]
    ]


def others(certificate: dict[str, Any]) -> list[Item]:
    """Return what other tests of the same ratings certify."""
    return [
        Item(_OTHERS.get(name, name.replace("_", " ")), up_to(at))
        for name, at in certificate["sensitivity"].items()
    ]


def up_to(threshold: float | None) -> str:
    """Return what is certified.

    Example:
        >>> up_to(0.6), up_to(None)
        ('up to 0.60', 'nothing')
    """
    return "nothing" if threshold is None else f"up to {threshold:.2f}"


def _planned(name: str, value: Any) -> str:
    if name in CHOICES:
        return CHOICES[name].options.get(value, str(value))
    return _value(value)


def _value(value: Any) -> str:
    """Return a plain value in words; of a time the day.

    Example:
        >>> _value([{"metric": "thumb", "largest_drop": 0.02}]), _value(True), _value(None)
        ('metric thumb, largest drop 0.02', 'yes', 'none')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "; ".join(_value(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_value(v)}" for name, v in value.items())
    return "none" if value in (None, "") else _day(str(value))


def _day(text: str) -> str:
    """Return the day of an ISO time, any other text as it is."""
    is_time = len(text) > 19 and text[4] == text[7] == "-" and text[10] == "T"
    return text[:10] if is_time else text


def assumptions(content: dict[str, Any]) -> list[str]:
    """Return how the figures came to be and what they rest on, a sentence each."""
    certificate = content["certificate"]
    basis = _BASES.get(certificate["basis"], "it is still running: this is a look, not the end")
    by = _RATERS.get(content["raters"], content["raters"])
    judge = "A judge's ratings help; people's ratings correct them." if certificate["judge"] else ""
    lines = [
        "Both models answered the same requests; which of them a person saw left was drawn by lot,"
        " and nobody saw which model wrote what.",
        f"Pairs were drawn by a seeded hash before anybody rated, with known probabilities;"
        f" {content['n_rated']} of {content['n_selected']} drawn pairs are rated, by {by}.",
        f"The study ended because {basis}."
        if certificate["is_final"]
        else f"Of the study, {basis}.",
        "The certificate tests threshold after threshold, from the safest on, by betting against"
        " “too many requests are made worse”; it stops at the first that the ratings do not carry."
        f" It is wrong in at most {100 * certificate['delta']:.3g} of 100 studies, over all"
        " thresholds together and at any number of ratings.",
        judge,
        "A pair that was drawn and never rated, or that nobody could judge, counts as made worse.",
        f"{_ABOUT[certificate['order']]} That later requests are alike is an assumption, and the"
        " reason why a sign-off expires.",
        "Bands in the charts are 95 % intervals for each threshold alone; the certificate is not"
        " read off them.",
    ]
    return [line for line in lines if line]
