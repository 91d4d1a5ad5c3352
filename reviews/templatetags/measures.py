"""Names of monitors and small sums of money on a page."""

from __future__ import annotations

from django import template

from reviews.monitors import BY_NAME

register = template.Library()


@register.filter
def named(monitor: str) -> str:
    """Return a monitor's title; its name where there is no such monitor any more.

    Example:
        >>> named("embeddings"), named("gone")
        ('Questions', 'gone')
    """
    return BY_NAME[monitor].title if monitor in BY_NAME else monitor


@register.filter
def per_thousand(cost_usd: float | None) -> str:
    """Return what a thousand requests cost that cost so much each; a dash where it is unknown.

    Example:
        >>> per_thousand(0.01234), per_thousand(None)
        ('$12.34', '–')
    """
    return "–" if cost_usd is None else f"${1000 * cost_usd:,.2f}"
