"""Names of monitors and small sums of money on a page."""

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


@register.filter
def per_thousand(cost_usd: float | None) -> str:
    """Return what a thousand requests cost that cost so much each; a dash where it is unknown.

    Example:
        >>> per_thousand(0.01234), per_thousand(None)
        ('$12.34', '–')
    """
    return "–" if cost_usd is None else f"${1000 * cost_usd:,.2f}"
