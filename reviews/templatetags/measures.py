"""Names of monitors on a page."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def named(monitor: str) -> str:
    """Return a monitor's name as people read it.

    Example:
        >>> named("cheap_share")
        'Cheap share'
    """
    return monitor.replace("_", " ").capitalize()
