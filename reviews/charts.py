"""Figures as plotly JSON, built on the server and drawn by plotly.js in the browser."""

from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects as go

#: At least 3:1 against the light and the dark ground alike.
_TEAL, _PURPLE, _RED, _GREY = "#1a8f91", "#8573f0", "#d9566a", "#7d8590"


def figures(points: list[dict[str, Any]], floor: float, live: float) -> dict[str, Any]:
    """Return the two figures of the threshold page: quality, and cost in its own panel."""
    return {"quality": _quality(points, floor, live), "cost": _cost(points, live)}


def _column(points: list[dict[str, Any]], name: str) -> list[float | None]:
    return [point[name] for point in points]


def _line(points: list[dict[str, Any]], y: str, label: str, colour: str, dash: str) -> go.Scatter:
    x = _column(points, "threshold")
    line = {"color": colour, "width": 2.5, "dash": dash}
    return go.Scatter(x=x, y=_column(points, y), name=label, mode="lines", line=line)


def _band(points: list[dict[str, Any]], name: str, colour: str) -> list[go.Scatter]:
    x = _column(points, "threshold")
    hidden = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    low = go.Scatter(x=x, y=_column(points, f"{name}_low"), **hidden)
    high = go.Scatter(
        x=x, y=_column(points, f"{name}_high"), fill="tonexty", fillcolor=f"{colour}33", **hidden
    )
    return [low, high]


def _quality(points: list[dict[str, Any]], floor: float, live: float) -> dict[str, Any]:
    figure = go.Figure(
        [
            *_band(points, "adequacy", _TEAL),
            *_band(points, "degradation", _RED),
            _line(points, "cheap_share", "cheap share", _GREY, "dot"),
            _line(points, "adequacy", "adequate among cheap-routed", _TEAL, "solid"),
            _line(points, "degradation", "made worse, of all requests", _RED, "dash"),
        ]
    )
    figure.add_hline(y=floor, line={"color": _RED, "width": 1}, annotation_text=f"floor {floor:g}")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02], title="share")
    return _finish(figure, live)


def _cost(points: list[dict[str, Any]], live: float) -> dict[str, Any]:
    figure = go.Figure(
        [
            _line(points, "cost_usd", "cost per request", _PURPLE, "solid"),
            _line(points, "baseline_cost_usd", "always expensive", _GREY, "dot"),
        ]
    )
    figure.update_yaxes(
        tickprefix="$", exponentformat="none", rangemode="tozero", title="USD per request"
    )
    return _finish(figure, live)


def _finish(figure: go.Figure, live: float) -> dict[str, Any]:
    side = "top right" if live < 0.5 else "top left"
    line = {"color": _GREY, "dash": "dash"}
    figure.add_vline(x=live, line=line, annotation_text="live", annotation_position=side)
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _GREY},
        margin={"l": 60, "r": 20, "t": 30, "b": 45},
        legend={"orientation": "h", "y": -0.2},
        hovermode="x unified",
    )
    figure.update_xaxes(title="threshold", range=[0, 1.01], gridcolor="#80808033")
    figure.update_yaxes(gridcolor="#80808033")
    result: dict[str, Any] = json.loads(figure.to_json())
    return result
