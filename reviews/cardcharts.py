"""Figures of a router's card as plotly JSON: scores beside labels, the gap closed, learning.

What cannot be drawn is not there: a page says so instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reviews.charts import GREY, PURPLE, TEAL, Trace, axis, key

Figure = dict[str, Any]
Rows = list[dict[str, Any]]


def figures(card: Mapping[str, Any]) -> dict[str, Figure]:
    """Return the figures that a card has numbers for, by the id of their place in the page."""
    made = {
        "reliability": _reliability(card.get("reliability") or []),
        "tradeoff": _tradeoff(card.get("curve") or []),
        "learning": _learning(card.get("learning") or []),
    }
    return {name: figure for name, figure in made.items() if figure}


def _reliability(bins: Rows) -> Figure | None:
    """Draw tenths of the labels: the share that needed the expensive model beside the score."""
    if not bins:
        return None
    x, y = ([one[name] for one in bins] for name in ("score", "loss"))
    up, down = ([abs(one[end] - one["loss"]) for one in bins] for end in ("high", "low"))
    exact = _line("score = share", [0, 1], [0, 1], GREY, "dot")
    found: Trace = {
        **_line("tenths of the labels", x, y, TEAL, "solid"),
        "mode": "lines+markers",
        "error_y": {"array": up, "arrayminus": down, "color": TEAL, "thickness": 1.2},
    }
    return _figure([exact, found], "score", "needed the expensive model", [0, 1], [0, 1.02])


def _tradeoff(points: Rows) -> Figure | None:
    """Draw which share of the quality gap is closed by which share of expensive calls."""
    if not points:
        return None
    x = [one["calls"] for one in points]
    traces = [
        _line(name, x, [one[column] for one in points], colour, dash)
        for column, name, colour, dash in (
            ("random", "at random", GREY, "dot"),
            ("oracle", "knows both answers", PURPLE, "dashdot"),
            ("router", "this router", TEAL, "solid"),
        )
    ]
    return _figure(traces, "sent to the expensive model", "of the quality gap", [0, 1], None)


def _learning(points: Rows) -> Figure | None:
    """Draw APGR by the labels learnt from with its band; AUROC where there is no APGR."""
    known = [one for one in points if one["apgr"] is not None]
    name, chance = "APGR", 0.5
    rows = [(one["n"], one["apgr"], one["low"], one["high"]) for one in known]
    if not rows:
        name, areas = "AUROC", [(one["n"], one.get("auroc")) for one in points]
        rows = [(n, *(area[end] for end in ("value", "low", "high"))) for n, area in areas if area]
    if len(rows) < 2:
        return None
    x, y, low, high = (list(column) for column in zip(*rows, strict=True))
    hidden = {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    ground = {"type": "scatter", "mode": "lines", "x": x, **hidden}
    traces = [
        {**ground, "y": low},
        {**ground, "y": high, "fill": "tonexty", "fillcolor": f"{TEAL}33"},
        _line("chance", [x[0], x[-1]], [chance, chance], GREY, "dot"),
        {**_line(name, x, y, TEAL, "solid"), "mode": "lines+markers"},
    ]
    drawn = _figure(traces, "labels learnt from", name, None, None)
    drawn["layout"]["xaxis"] |= {"type": "log", "tickvals": x, "ticktext": [f"{n:,}" for n in x]}
    return drawn


def _line(name: str, x: list[float], y: list[float], colour: str, dash: str) -> Trace:
    line = {"color": colour, "width": 2.5 if dash == "solid" else 1.5, "dash": dash}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line}


def _figure(
    traces: list[Trace], x: str, y: str, x_range: list[float] | None, y_range: list[float] | None
) -> Figure:
    return {
        "data": traces,
        "key": key(traces, []),
        "layout": {
            "xaxis": axis(x) | ({"range": x_range} if x_range else {}),
            "yaxis": axis(y) | ({"range": y_range} if y_range else {}),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 60, "r": 16, "t": 12, "b": 44},
            "showlegend": False,
            "hovermode": "closest",
        },
    }
