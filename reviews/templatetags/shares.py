"""Shares, figures and what is named by others on a page: as text, and as bars without style."""

from __future__ import annotations

from collections.abc import ItemsView, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from reviews.pace import Day
from reviews.panels import Figure
from reviews.quality import Share

register = template.Library()


@register.filter
def percent(share: float | None) -> str:
    """Return a share as text, a dash where there is none.

    Example:
        >>> percent(0.6204), percent(None)
        ('62.0 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


@register.filter
def exact(number: float) -> str:
    """Return a number with every digit it has, never in powers of ten: nobody signs a rounded one.

    Example:
        >>> exact(24.0), exact(100 * 0.29), exact(0.00001)
        ('24', '29', '0.00001')
    """
    return f"{Decimal(f'{number:.12g}'):f}"


@register.filter
def exact_percent(share: float) -> str:
    """Return a share that somebody set, as they set it.

    Example:
        >>> exact_percent(0.996), exact_percent(0.001), exact_percent(1)
        ('99.6 %', '0.1 %', '100 %')
    """
    return f"{exact(100 * share)} %"


@register.filter
def hundred(share: float) -> str:
    """Return a share in percent, for a field that somebody changes.

    Example:
        >>> hundred(0.02), hundred(0.125)
        ('2', '12.5')
    """
    return exact(100 * share)


@register.filter
def pairs(named: Mapping[str, Any]) -> ItemsView[str, Any]:
    """Return names with their values; a template's own lookup would take a name before a method.

    Example:
        >>> list(pairs({"items": 1}))
        [('items', 1)]
    """
    return named.items()


@register.filter
def digits(amount: float) -> str:
    """Return an amount to three digits, never in powers of ten.

    Example:
        >>> digits(0.06664), digits(1234.5), digits(0.0)
        ('0.0666', '1,230', '0')
    """
    return f"{Decimal(f'{amount:.3g}'):,f}"


@register.filter
def at(rows: Sequence[Any], place: int) -> Any:
    """Return the row at a place that the view computed.

    Example:
        >>> at(["a", "b"], 1)
        'b'
    """
    return rows[place]


@register.filter
def counted(share: Share) -> str:
    """Return a share with what it was counted from.

    Example:
        >>> counted(Share.of(3, 4)), counted(Share.of(0, 0))
        ('75 % (3 of 4)', '–')
    """
    if share.share is None:
        return "–"
    return f"{100 * share.share:.0f} % ({share.hits:.3g} of {share.n})"


@register.filter
def between(interval: Sequence[float]) -> str:
    """Return an interval of shares as text.

    Example:
        >>> between((0.25, 0.5))
        '25.0 % to 50.0 %'
    """
    return f"{percent(interval[0])} to {percent(interval[1])}"


@register.filter
def figure(value: Figure, unit: str = "") -> str:
    """Return a figure with its interval, as shares or as plain numbers, or why there is none.

    Example:
        >>> figure(Figure(0.5, 0.25, 0.75)), figure(Figure(0.5, words="no interval"), "percent")
        ('0.50 (0.25 to 0.75)', '50.0 % (no interval)')
    """
    if value.value is None:
        return value.words
    if value.low is None or value.high is None:
        return f"{_number(value.value, unit)} ({value.words})"
    ends = f"{_number(value.low, unit)} to {_number(value.high, unit)}"
    return f"{_number(value.value, unit)} ({ends})"


def _number(value: float, unit: str) -> str:
    return percent(value) if unit == "percent" else f"{value:.2f}"


@register.simple_tag
def bar(
    share: float | None,
    low: float | None = None,
    high: float | None = None,
    mark: float | None = None,
) -> SafeString:
    """Draw a share in [0, 1]; the number stands beside it, so that nobody has to see the bar.

    Args:
        share: nothing is drawn for None.
        low: lower end of its interval.
        high: upper end.
        mark: where a tick stands, such as .5 for a fair coin.
    """
    if share is None:
        return SafeString("")
    return format_html(
        '<svg class="share-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="10"/>'
        '<rect class="share" width="{}" height="10"/>{}{}</svg>',
        f"{100 * share:.2f}",
        _across(low, high),
        _tick(mark),
    )


def _across(low: float | None, high: float | None) -> SafeString:
    if low is None or high is None:
        return SafeString("")
    place = '<rect class="interval" x="{}" y="4" width="{}" height="2"/>'
    return format_html(place, f"{100 * low:.2f}", f"{100 * (high - low):.2f}")


def _tick(mark: float | None) -> SafeString:
    if mark is None:
        return SafeString("")
    return format_html('<rect class="mark" x="{}" width="1" height="10"/>', f"{100 * mark:.2f}")


@register.simple_tag
def columns(days: Sequence[Day]) -> SafeString:
    """Draw how many pairs were rated on each day; the table beside it has the numbers."""
    most = max([1, *(day.n for day in days)])
    wide = 100 / max(len(days), 1)
    rows = (
        (f"{place * wide:.2f}", f"{38 - 36 * day.n / most:.2f}", f"{wide * 0.8:.2f}",
         f"{36 * day.n / most:.2f}", f"{day.day:%-d %B}: {day.n}")
        for place, day in enumerate(days)
    )  # fmt: skip
    return format_html(
        '<svg class="columns" viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" y="38" width="100" height="1"/>{}</svg>',
        format_html_join(
            "", '<rect x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>', rows
        ),
    )
