"""Figures of a monitor as plotly JSON: its history with its limit, and what it compares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reviews.charts import GREY, RED, TEAL, Key, Trace, axis, key

Figure = dict[str, Any]
#: How the axis of a picture is written, by unit.
_UNITS = {
    "share": {"tickformat": ".0%"},
    "usd": {"tickprefix": "$", "exponentformat": "none"},
    "requests": {},
    "": {},
}
#: A spark line's size.
_WIDE, _HIGH = 120, 24


def history(at: Sequence[datetime], values: Sequence[float | None], limit: float | None) -> Figure:
    """Draw what was measured day by day, and its limit as it is now."""
    days = [f"{one:%Y-%m-%d}" for one in at]
    traces = [_line("measured", days, values, TEAL, "solid")]
    if limit is not None and days:
        traces.append(_line("limit", [days[0], days[-1]], [limit, limit], RED, "dash"))
    return _figure(traces, "day", "value", {"rangemode": "tozero"}, {"type": "date"})


def picture(rows: Sequence[Sequence[Any]], unit: str, is_by_day: bool) -> Figure:
    """Draw how it was in the study beside how it is now: lines for days, bars for kinds.

    Args:
        rows: name, before, now; None is not known.
        unit: of `monitors.Seen`.
        is_by_day: whether the names are days.
    """
    names, before, now = (list(column) for column in zip(*rows, strict=True))
    y = _UNITS[unit] | {"rangemode": "tozero"}
    if is_by_day:
        traces = [
            _line("in the study", names, before, GREY, "dash"),
            _line("since go-live", names, now, TEAL, "solid"),
        ]
        return _figure(traces, "day", "", y, {"type": "date"})
    bars = [
        _bars("in the study", names, before, GREY),
        _bars("now", names, now, TEAL),
    ]
    return _figure(bars, "", "", y, {"type": "category"})


def spark(values: Sequence[float | None], limit: float | None) -> dict[str, Any]:
    """Return a small line as SVG coordinates: `points`, and `limit` as a height or None.

    Example:
        >>> spark([0.0, 1.0], 0.5)
        {'points': '0.0,22.0 120.0,2.0', 'limit': 12.0}
    """
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    top = max([value for _, value in known] + [limit or 0.0, 1e-9])
    step = _WIDE / max(len(values) - 1, 1)
    points = " ".join(f"{place * step:.1f},{_height(value, top):.1f}" for place, value in known)
    return {"points": points, "limit": None if limit is None else round(_height(limit, top), 1)}


def _height(value: float, top: float) -> float:
    return _HIGH - 2 - (_HIGH - 4) * max(value, 0.0) / top


def _line(name: str, x: Sequence[str], y: Sequence[Any], colour: str, dash: str) -> Trace:
    line = {"color": colour, "width": 2.5 if dash == "solid" else 1.5, "dash": dash}
    mode = "lines+markers" if dash == "solid" else "lines"
    return {"type": "scatter", "mode": mode, "name": name, "x": list(x), "y": list(y), "line": line}


def _bars(name: str, x: Sequence[str], y: Sequence[Any], colour: str) -> Trace:
    marker = {"color": colour}
    return {"type": "bar", "name": name, "x": list(x), "y": list(y), "marker": marker}


def _bar_key(trace: Trace) -> Key:
    return Key(trace["name"], trace["marker"]["color"], "")


def _figure(
    traces: list[Trace], x: str, y: str, y_axis: dict[str, Any], x_axis: dict[str, Any]
) -> Figure:
    return {
        "data": traces,
        "key": [*key(traces, []), *(_bar_key(one) for one in traces if one["type"] == "bar")],
        "layout": {
            "xaxis": axis(x) | x_axis,
            "yaxis": axis(y) | y_axis,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 60, "r": 16, "t": 12, "b": 60},
            "showlegend": False,
            "hovermode": "closest",
        },
    }
