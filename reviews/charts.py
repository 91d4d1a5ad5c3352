"""Figures as plotly JSON, built on the server and drawn by plotly.js in the browser.

They are plain dicts: the classes of plotly's Python package check every value anew on every look.
Lines differ by dash and are named where they run, so that nobody has to tell colours apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: At least 3:1 against the light and the dark ground alike.
_TEAL, _PURPLE, _RED, _GREY = "#1a8f91", "#8573f0", "#d9566a", "#7d8590"
_GRID = "#80808033"
_N_SHARES = 6
_RANGE = [0, 1.02]

Points = list[dict[str, Any]]
Trace = dict[str, Any]


class Mark(NamedTuple):
    """A threshold with a name: a vertical line on every figure."""

    name: str
    threshold: float
    dash: str


class Rug(NamedTuple):
    """Scores of rated pairs, made worse or not; a capped number of each."""

    worse: list[float]
    fine: list[float]


def figures(
    points: Points, floor: float, marks: list[Mark], rug: Rug, harm: str
) -> dict[str, dict[str, Any]]:
    """Return the figures of the threshold page: what gets worse, shares, and cost.

    Args:
        points: of the curve, as `operating` returns them.
        floor: largest share of requests made worse.
        marks: thresholds to be named.
        rug: rated pairs.
        harm: what the plan calls a loss.
    """
    return {
        "degradation": _finish(*_degradation(points, floor, rug, harm), points, marks),
        "shares": _finish(*_shares(points), points, marks),
        "cost": _finish(*_cost(points), points, marks),
    }


def _column(points: Points, name: str) -> list[float | None]:
    return [point[name] for point in points]


def _trace(points: Points, y: str, **more: Any) -> Trace:
    x = _column(points, "threshold")
    return {"type": "scatter", "mode": "lines", "x": x, "y": _column(points, y), **more}


def _line(points: Points, y: str, label: str, colour: str, dash: str, width: float = 2.5) -> Trace:
    return _trace(points, y, name=label, line={"color": colour, "width": width, "dash": dash})


def _band(points: Points, low: str, high: str, colour: str) -> list[Trace]:
    hidden = {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    filled = {"fill": "tonexty", "fillcolor": f"{colour}33"}
    return [_trace(points, low, **hidden), _trace(points, high, **hidden, **filled)]


def _degradation(
    points: Points, floor: float, rug: Rug, harm: str
) -> tuple[list[Trace], dict[str, Any]]:
    """Draw what gets worse with its band, against chance, a perfect router, and the floor."""
    traces = [
        *_band(points, "band_low", "band_high", _RED),
        *_beside(points),
        _line(points, "random", "at random", _GREY, "dot", 1.5),
        _line(points, "oracle", "perfect router", _TEAL, "dashdot", 1.5),
        _line(points, "degradation", f"{harm}, of all requests", _RED, "solid"),
        *_rug(rug),
    ]
    rows = {"domain": [0, 0.1], "range": [-0.5, 1.5], "showgrid": False, "zeroline": False}
    floor_line = {"color": _RED, "width": 1.5, "dash": "dash"}
    return traces, {
        "yaxis": _axis(harm) | {"tickformat": ".0%", "rangemode": "tozero", "domain": [0.16, 1]},
        "yaxis2": rows | {"tickvals": [0, 1], "ticktext": ["not worse", "worse"]},
        "shapes": [_across(floor, floor_line), *_weak(points)],
        "annotations": [
            _text(0, floor, f"floor {100 * floor:.3g} %", xanchor="left"),
            *_label(points, "degradation", harm, 0.3),
            *_label(points, "random", "at random", 0.6),
            *_label(points, "oracle", "perfect router", 0.85),
            *(_text(1, line["y0"], "everything cheap") for line in _weak(points)),
        ],
    }


def _weak(points: Points) -> list[dict[str, Any]]:
    """Return the line of everything cheap, where it is known."""
    last = points[-1] if points else None
    if last is None or last["degradation"] is None or last["threshold"] <= 1:
        return []
    return [_across(last["degradation"], {"color": _GREY, "width": 1, "dash": "longdash"})]


def _beside(points: Points) -> list[Trace]:
    """Draw the curve of people corrected by a judge, if there is one."""
    if all(point["judge_degradation"] is None for point in points):
        return []
    line = _line(points, "judge_degradation", "with the judge", _PURPLE, "longdashdot", 2)
    return [*_band(points, "judge_low", "judge_high", _PURPLE), line]


def _rug(rug: Rug) -> list[Trace]:
    """Return two rows of ticks under the curve: where the rated pairs lie."""
    ticks = {"type": "scatter", "mode": "markers", "yaxis": "y2", "showlegend": False}
    return [
        ticks
        | {"x": scores, "y": [place] * len(scores), "name": name}
        | {"hovertemplate": "score %{x:.3f}", "marker": _tick(colour)}
        for place, name, scores, colour in (
            (1, "rated worse", rug.worse, _RED),
            (0, "rated not worse", rug.fine, _TEAL),
        )
    ]


def _tick(colour: str) -> dict[str, Any]:
    return {"symbol": "line-ns-open", "size": 8, "color": colour, "line": {"width": 1}}


def _shares(points: Points) -> tuple[list[Trace], dict[str, Any]]:
    traces = [
        *_band(points, "adequacy_low", "adequacy_high", _TEAL),
        _line(points, "cheap_share", "routed cheap", _GREY, "dot"),
        _line(points, "adequacy", "adequate among them", _TEAL, "solid"),
    ]
    return traces, {
        "yaxis": _axis("share") | {"tickformat": ".0%", "range": [0, 1.02]},
        "annotations": [
            *_label(points, "cheap_share", "routed cheap", 0.6),
            *_label(points, "adequacy", "adequate", 0.85, "top"),
        ],
    }


def _cost(points: Points) -> tuple[list[Trace], dict[str, Any]]:
    traces = [
        _line(points, "cost_usd", "cost per request", _PURPLE, "solid"),
        _line(points, "baseline_cost_usd", "always expensive", _GREY, "dot"),
    ]
    usd = {"tickprefix": "$", "exponentformat": "none", "rangemode": "tozero"}
    return traces, {
        "yaxis": _axis("USD per request") | usd,
        "annotations": [
            *_label(points, "cost_usd", "cost", 0.4),
            *_label(points, "baseline_cost_usd", "always expensive", 0.85, "top"),
        ],
    }


def _axis(title: str) -> dict[str, Any]:
    return {"title": {"text": title}, "gridcolor": _GRID, "zeroline": False, "automargin": False}


def _across(y: float, line: dict[str, Any]) -> dict[str, Any]:
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}


def _text(
    x: float, y: float, text: str, xanchor: str = "right", yanchor: str = "bottom", **more: Any
) -> dict[str, Any]:
    anchors = {"xanchor": xanchor, "yanchor": yanchor}
    return {"x": x, "y": y, "text": text, "showarrow": False, **anchors, **more}


def _label(
    points: Points, name: str, text: str, along: float, yanchor: str = "bottom"
) -> list[dict[str, Any]]:
    """Name a line where it runs, `along` being how far from its left end."""
    known = [point for point in points if point[name] is not None]
    if not known:
        return []
    point = known[int(along * (len(known) - 1))]
    return [_text(point["threshold"], point[name], text, yanchor=yanchor)]


def _finish(
    traces: list[Trace], layout: dict[str, Any], points: Points, marks: list[Mark]
) -> dict[str, Any]:
    """Return a figure with its named thresholds and the axis of shares on top."""
    lines = [_upright(mark) for mark in marks]
    names = [_name(mark, place) for place, mark in enumerate(marks)]
    # A second axis is drawn for a trace of its own only.
    for_axis = {"type": "scatter", "x": [None], "y": [None], "xaxis": "x2", "showlegend": False}
    return {
        "data": [*traces, for_axis],
        "layout": {
            **layout,
            "shapes": [*layout.get("shapes", []), *lines],
            "annotations": [*layout["annotations"], *names],
            "xaxis": _axis("threshold") | {"range": _RANGE},
            "xaxis2": _share_axis(points),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 70, "r": 20, "t": 50, "b": 80},
            "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
            "hovermode": "x unified",
        },
    }


def _share_axis(points: Points) -> dict[str, Any]:
    """Return the axis on top: which share is routed cheap at thresholds along the way."""
    step = max(1, (len(points) - 1) // (_N_SHARES - 1))
    shown = [point for point in points[::step] if point["cheap_share"] is not None]
    return {
        "overlaying": "x",
        "side": "top",
        "range": _RANGE,
        "tickvals": [point["threshold"] for point in shown],
        "ticktext": [f"{100 * point['cheap_share']:.0f} %" for point in shown],
        "title": {"text": "routed cheap", "standoff": 4},
        "showgrid": False,
        "zeroline": False,
    }


def _upright(mark: Mark) -> dict[str, Any]:
    line = {"color": _GREY, "dash": mark.dash, "width": 1.5}
    ends = {"x0": mark.threshold, "x1": mark.threshold, "y0": 0, "y1": 1, "yref": "paper"}
    return {"type": "line", "line": line, **ends}


def _name(mark: Mark, place: int) -> dict[str, Any]:
    """Name a threshold; names stand one below the other, so that none hides another."""
    side = "left" if mark.threshold < 0.6 else "right"
    text = f"{mark.name} {mark.threshold:.2f}"
    return _text(mark.threshold, 1 - 0.09 * place, text, side, "top", yref="paper")
