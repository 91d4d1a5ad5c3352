"""Line charts as SVG, for paper: drawn here, readable in grey, with labels where the lines end.

No Django, no script, no style attribute: what is drawn is told by shape, dash and word, never by
colour alone. What a chart shows is in its title; the numbers stand in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

_WIDE, _HIGH = 640.0, 235.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 158.0, 26.0, 40.0
_TEXT = 'font-family="sans-serif" font-size="11"'
#: Lines of text closer than this run into each other.
_LABEL = 13.0
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)


class Line(NamedTuple):
    """One line: its name, a value at each x, a band around it, and how it is drawn.

    None is a gap: nothing is known there.
    """

    name: str
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    dash: str = ""


class Mark(NamedTuple):
    """A straight line across the chart, at a value of its axis, with a word."""

    at: float
    name: str


@dataclass(frozen=True)
class Chart:
    """Shares over thresholds.

    Attributes:
        title: what is seen, in a sentence; what is read to those who see nothing.
        x: thresholds, increasing.
        lines: at least one.
        top: the largest share shown.
        levels: horizontal marks, such as the floor.
        places: vertical marks, such as the threshold that is signed.
    """

    title: str
    x: Sequence[float]
    lines: Sequence[Line]
    top: float = 1.0
    levels: Sequence[Mark] = ()
    places: Sequence[Mark] = ()


def svg(chart: Chart) -> str:
    """Return the chart as one SVG element.

    Example:
        >>> text = svg(Chart("A & B", [0, 1], [Line("a < b", [0.2, 0.4])]))
        >>> text.startswith("<svg"), "A &amp; B" in text, "a &lt; b" in text
        (True, True, True)
    """
    frame = _Frame(min(chart.x), max(chart.x), chart.top)
    parts = [
        *_axes(frame),
        *(_band(frame, chart.x, line) for line in chart.lines if line.low),
        *(_level(frame, mark) for mark in chart.levels),
        *_places(frame, chart.places),
        *(_path(frame, chart.x, line) for line in chart.lines),
        *_labels(frame, chart),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE:g} {_HIGH:g}"'
        f' width="{_WIDE:g}" height="{_HIGH:g}" role="img" aria-label={quoteattr(chart.title)}>'
        f"<title>{escape(chart.title)}</title>{''.join(parts)}</svg>"
    )


class _Frame(NamedTuple):
    """Where values lie on the paper."""

    first: float
    last: float
    top: float

    def x(self, value: float) -> float:
        share = (value - self.first) / ((self.last - self.first) or 1.0)
        return _LEFT + share * (_WIDE - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = min(max(value / self.top, 0.0), 1.0)
        return _HIGH - _BOTTOM - share * (_HIGH - _TOP - _BOTTOM)


def _axes(frame: _Frame) -> list[str]:
    """Return grid and ticks: shares at the left, thresholds below."""
    step = next((s for s in _STEPS if frame.top / s <= 6), _STEPS[-1])
    parts = []
    for n in range(int(frame.top / step + 1e-9) + 1):
        y = frame.y(n * step)
        parts.append(_straight(_LEFT, y, _WIDE - _RIGHT, y, "#d0d0d0", 0.6))
        parts.append(_text(_LEFT - 6, y + 4, f"{100 * n * step:.3g} %", "end"))
    for n in range(6):
        at = frame.first + n * (frame.last - frame.first) / 5
        at = round(at, 1) if frame.last - frame.first > 0.5 else at
        parts.append(_text(frame.x(at), _HIGH - _BOTTOM + 16, f"{at:.2f}", "middle"))
    middle = (_LEFT + _WIDE - _RIGHT) / 2
    return [*parts, _text(middle, _HIGH - 6, "threshold", "middle")]


def _band(frame: _Frame, x: Sequence[float], line: Line) -> str:
    """Return the band as one area for each stretch in which it is known."""
    known = [
        (frame.x(at), frame.y(low), frame.y(high))
        for at, low, high in zip(x, line.low, line.high, strict=True)
        if low is not None and high is not None
    ]
    there = [f"{at:.1f},{high:.1f}" for at, _, high in known]
    back = [f"{at:.1f},{low:.1f}" for at, low, _ in reversed(known)]
    return f'<polygon points="{" ".join(there + back)}" fill="#000" fill-opacity="0.12"/>'


def _path(frame: _Frame, x: Sequence[float], line: Line) -> str:
    """Return the line; a gap lifts the pen."""
    steps, pen = [], "M"
    for at, value in zip(x, line.y, strict=True):
        if value is None:
            pen = "M"
            continue
        steps.append(f"{pen}{frame.x(at):.1f} {frame.y(value):.1f}")
        pen = "L"
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    return f'<path d="{" ".join(steps)}" fill="none" stroke="#111" stroke-width="1.8"{dash}/>'


def _level(frame: _Frame, mark: Mark) -> str:
    y = frame.y(mark.at)
    return _straight(_LEFT, y, _WIDE - _RIGHT, y, "#555", 1.2, "2 3")


def _places(frame: _Frame, marks: Sequence[Mark]) -> list[str]:
    """Return vertical marks; a word stands left of its mark where it would touch the next one."""
    parts, free = [], _WIDE
    for mark in sorted(marks, reverse=True):
        x, wide = frame.x(mark.at), 6.5 * len(mark.name) + 8
        fits = x + wide <= free
        parts.append(_straight(x, _TOP - 8, x, _HIGH - _BOTTOM, "#555", 1.0, "6 3"))
        parts.append(
            _text(x + (4 if fits else -4), _TOP - 8, mark.name, "start" if fits else "end")
        )
        free = x if fits else x - wide
    return parts


def _labels(frame: _Frame, chart: Chart) -> list[str]:
    """Return the names of lines and levels at the right, moved apart where they would touch."""
    wanted = [(frame.y(mark.at), mark.name) for mark in chart.levels]
    for line in chart.lines:
        known = [value for value in line.y if value is not None]
        if known:
            wanted.append((frame.y(known[-1]), line.name))
    parts, last = [], _TOP - _LABEL
    for y, name in sorted(wanted):
        last = max(y, last + _LABEL)
        parts.append(_text(_WIDE - _RIGHT + 6, last + 4, name, "start"))
    return parts


def _straight(
    x1: float, y1: float, x2: float, y2: float, grey: str, wide: float, dash: str = ""
) -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{grey}" stroke-width="{wide:g}"{dashed}/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#222" {_TEXT}>'
        f"{escape(text)}</text>"
    )
