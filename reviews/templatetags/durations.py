"""How long something took, in words for a page."""

from __future__ import annotations

from django import template

register = template.Library()

_UNITS = ((86_400, "day"), (3_600, "h"), (60, "min"))


@register.filter
def waited(seconds: float) -> str:
    """Return a duration in its largest whole unit.

    Example:
        >>> [waited(s) for s in (0.4, 59.9, 61, 7_200, 200_000)]
        ['0 s', '59 s', '1 min', '2 h', '2 days']
    """
    for size, name in _UNITS:
        if seconds >= size:
            n = int(seconds // size)
            return f"{n} {name}s" if name == "day" and n > 1 else f"{n} {name}"
    return f"{int(seconds)} s"
