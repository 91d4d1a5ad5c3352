"""What calls cost by day, stacked by what they were for, as plotly JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from reviews.charts import GREY, PURPLE, RED, TEAL, Key, Trace, axis, key

#: At least 3:1 against the light and the dark ground alike.
_AMBER = "#a9761b"
#: What is stacked, the colour and the pattern of each: nobody has to tell colours apart.
PARTS = {
    "cheap": ("answers by the cheap model", TEAL, ""),
    "expensive": ("answers by the expensive model", PURPLE, "/"),
    "aside": ("asked to decide", _AMBER, "."),
    "shadow": ("shadow calls", GREY, "x"),
    "judge": ("judges", RED, "\\"),
}
_AHEAD_DAYS = 7


class Line(NamedTuple):
    """A line over the days ahead: an amount a day and its ends."""

    value: float
    low: float
    high: float


def figure(
    days: Sequence[date],
    parts: Mapping[str, Sequence[float]],
    budget: float | None,
    forecast: Line | None,
) -> dict[str, Any]:
    """Draw the cost of each day.

    Args:
        days: (D,) in order.
        parts: (D,) USD each, by the names in PARTS; what is 0 everywhere is left out.
        budget: USD a day that the month's budget allows.
        forecast: USD a day of the days ahead.
    """
    bars = [_bars(name, days, parts[name]) for name in PARTS if any(parts.get(name, ()))]
    lines = [*_forecast(days, forecast), *_budget(days, budget, forecast is not None)]
    return {
        "data": [*bars, *lines],
        "key": [*(Key(bar["name"], bar["marker"]["color"], "") for bar in bars), *key(lines, [])],
        "layout": {
            "barmode": "stack",
            "bargap": 0.25,
            "xaxis": axis("day (UTC)") | {"type": "date"},
            "yaxis": axis("USD") | {"rangemode": "tozero"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 60, "r": 16, "t": 12, "b": 44},
            "showlegend": False,
            "hovermode": "x unified",
        },
    }


def _bars(name: str, days: Sequence[date], amounts: Sequence[float]) -> Trace:
    title, colour, shape = PARTS[name]
    pattern = {"shape": shape, "fillmode": "overlay", "solidity": 0.3}
    return {
        "type": "bar",
        "name": title,
        "x": [day.isoformat() for day in days],
        "y": [round(amount, 8) for amount in amounts],
        "marker": {"color": colour, "pattern": pattern},
    }


def _forecast(days: Sequence[date], found: Line | None) -> list[Trace]:
    if found is None:
        return []
    ahead = [(days[-1] + timedelta(n)).isoformat() for n in range(1, _AHEAD_DAYS + 1)]
    hidden = {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    band = {"fill": "tonexty", "fillcolor": f"{GREY}33"}
    line = {"color": GREY, "width": 2.5, "dash": "dot"}
    flat = {"type": "scatter", "mode": "lines", "x": ahead}
    return [
        {**flat, "y": [max(found.low, 0.0)] * _AHEAD_DAYS, **hidden},
        {**flat, "y": [found.high] * _AHEAD_DAYS, **hidden, **band},
        {**flat, "y": [found.value] * _AHEAD_DAYS, "name": "days like the last", "line": line},
    ]


def _budget(days: Sequence[date], budget: float | None, is_ahead: bool) -> list[Trace]:
    if budget is None:
        return []
    last = days[-1] + timedelta(_AHEAD_DAYS if is_ahead else 0)
    line = {"color": RED, "width": 2, "dash": "dash"}
    ends = {"x": [days[0].isoformat(), last.isoformat()], "y": [budget, budget]}
    return [
        {"type": "scatter", "mode": "lines", "name": "the budget, by day", "line": line, **ends}
    ]
