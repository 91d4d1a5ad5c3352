"""Figures as plotly JSON, built on the server and drawn by plotly.js in the browser.

They are plain dicts: the classes of plotly's Python package check every value anew on every look.
Lines differ by dash and are named under the figure, in the large one where they run, too, so that
nobody has to tell colours apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: At least 3:1 against the light and the dark ground alike.
TEAL, PURPLE, RED, GREY = "#1a8f91", "#8573f0", "#d9566a", "#7d8590"
_GRID = "#80808033"
_N_SHARES = 6
_RANGE = [0, 1.02]
#: A label stands away from the ends of its line, where lines meet.
_LABELLED = (0.1, 0.85)
#: What a router is compared with.
_ROUTERS = {"random": "at random", "oracle": "perfect router"}
#: The dashes of plotly.js as an SVG line has them.
_DASHES = {
    "solid": "", "dot": "2 3", "dashdot": "8 3 2 3", "dash": "7 4", "longdash": "12 4",
    "longdashdot": "12 3 2 3",
}  # fmt: skip

Points = list[dict[str, Any]]
Trace = dict[str, Any]


class Mark(NamedTuple):
    """A threshold with a name: a vertical line on every figure."""

    name: str
    threshold: float
    dash: str


class Key(NamedTuple):
    """A line of the list under a figure: what is drawn so; dashes as an SVG line has them."""

    name: str
    colour: str
    dashes: str


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
    large = _finish(*_degradation(points, floor, rug, harm), points, marks)
    named = [_name(mark, place) for place, mark in enumerate(marks)]
    large["layout"]["annotations"] += named
    return {
        "degradation": large,
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
        *_band(points, "band_low", "band_high", RED),
        *_beside(points),
        _line(points, "random", "at random", GREY, "dot", 1.5),
        _line(points, "oracle", "perfect router", TEAL, "dashdot", 1.5),
        _line(points, "degradation", f"{harm}, of all requests", RED, "solid"),
        *_rug(rug),
    ]
    rows = {"domain": [0, 0.1], "range": [-0.5, 1.5], "showgrid": False, "zeroline": False}
    floor_line = {"color": RED, "width": 1.5, "dash": "dash"}
    return traces, {
        "yaxis": axis(harm) | {"tickformat": ".0%", "rangemode": "tozero", "domain": [0.16, 1]},
        "xaxis": {"anchor": "y2"},  # under the rug, not between it and the curve
        "yaxis2": rows | {"tickvals": [0, 1], "ticktext": ["not worse", "worse"]},
        "shapes": [_across(floor, floor_line), *_weak(points)],
        "annotations": [
            _text(0, floor, f"floor {100 * floor:.3g} %", xanchor="left"),
            *_labels(
                points, {"degradation": harm, "random": "at random", "oracle": "perfect router"}
            ),
            *(_text(1, line["y0"], "everything cheap", yanchor="top") for line in _weak(points)),
        ],
    }


def _weak(points: Points) -> list[dict[str, Any]]:
    """Return the line of everything cheap, where it is known."""
    last = points[-1] if points else None
    if last is None or last["degradation"] is None or last["threshold"] <= 1:
        return []
    return [_across(last["degradation"], {"color": GREY, "width": 1, "dash": "longdash"})]


def _beside(points: Points) -> list[Trace]:
    """Draw the curve of people corrected by a judge, if there is one."""
    if all(point["judge_degradation"] is None for point in points):
        return []
    line = _line(points, "judge_degradation", "with the judge", PURPLE, "longdashdot", 2)
    return [*_band(points, "judge_low", "judge_high", PURPLE), line]


def _rug(rug: Rug) -> list[Trace]:
    """Return two rows of ticks under the curve: where the rated pairs lie."""
    ticks = {"type": "scatter", "mode": "markers", "yaxis": "y2", "showlegend": False}
    return [
        ticks
        | {"x": scores, "y": [place] * len(scores), "name": name}
        | {"hovertemplate": "score %{x:.3f}", "marker": _tick(colour)}
        for place, name, scores, colour in (
            (1, "rated worse", rug.worse, RED),
            (0, "rated not worse", rug.fine, TEAL),
        )
    ]


def _tick(colour: str) -> dict[str, Any]:
    return {"symbol": "line-ns-open", "size": 8, "color": colour, "line": {"width": 1}}


def _shares(points: Points) -> tuple[list[Trace], dict[str, Any]]:
    traces = [
        *_band(points, "adequacy_low", "adequacy_high", TEAL),
        _line(points, "cheap_share", "routed cheap", GREY, "dot"),
        _line(points, "adequacy", "adequate among them", TEAL, "solid"),
    ]
    return traces, {
        "yaxis": axis("share") | {"tickformat": ".0%", "range": [0, 1.02]},
    }


def _cost(points: Points) -> tuple[list[Trace], dict[str, Any]]:
    traces = [
        _line(points, "cost_usd", "cost per request", PURPLE, "solid"),
        _line(points, "baseline_cost_usd", "always expensive", GREY, "dot"),
    ]
    usd = {"tickprefix": "$", "exponentformat": "none", "rangemode": "tozero"}
    return traces, {"yaxis": axis("USD per request") | usd}


def axis(title: str) -> dict[str, Any]:
    """Return an axis in the pages' look."""
    return {"title": {"text": title}, "gridcolor": _GRID, "zeroline": False, "automargin": False}


def _across(y: float, line: dict[str, Any]) -> dict[str, Any]:
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}


def _text(
    x: float, y: float, text: str, xanchor: str = "right", yanchor: str = "bottom", **more: Any
) -> dict[str, Any]:
    anchors = {"xanchor": xanchor, "yanchor": yanchor}
    return {"x": x, "y": y, "text": text, "showarrow": False, **anchors, **more}


def _labels(points: Points, names: dict[str, str]) -> list[dict[str, Any]]:
    """Name lines where they run, each where it is farthest from the others."""
    names = {name: text for name, text in names.items() if points and points[-1][name] is not None}
    known = [point for point in points if None not in (point[name] for name in names)]
    begin, end = (int(part * len(known)) for part in _LABELLED)
    along = known[begin:end]
    if not along:
        return []
    placed = [(name, _clearest(along, name, names)) for name in names]
    return [
        _text(at["threshold"], at[name], names[name], yanchor=_side(at, name, names))
        for name, at in placed
    ]


def _clearest(along: Points, name: str, names: dict[str, str]) -> dict[str, Any]:
    """Return the point at which a line is farthest from the others, the first of equals."""
    return max(along, key=lambda point: _apart(point, name, names))


def _apart(point: dict[str, Any], name: str, names: dict[str, str]) -> float:
    """Return how far a line is from the nearest other one."""
    others = (abs(point[name] - point[other]) for other in names if other != name)
    return float(min(others, default=0.0))


def _side(point: dict[str, Any], name: str, names: dict[str, str]) -> str:
    """Return whether a name stands over its line or under it: away from the others."""
    values = [point[other] for other in names]
    # Under a line that runs along the axis there is no room.
    is_lowest = 0.1 * max(values) < point[name] == min(values)
    return "top" if is_lowest else "bottom"


def _finish(
    traces: list[Trace], layout: dict[str, Any], points: Points, marks: list[Mark]
) -> dict[str, Any]:
    """Return a figure with its thresholds, the list under it and the axis of shares on top."""
    # A second axis is drawn for a trace of its own only.
    for_axis = {"type": "scatter", "x": [None], "y": [None], "xaxis": "x2", "showlegend": False}
    return {
        "data": [*traces, for_axis],
        "key": key(traces, marks),
        "layout": {
            **layout,
            "shapes": [*layout.get("shapes", []), *(_upright(mark) for mark in marks)],
            "annotations": layout.get("annotations", []),
            "xaxis": axis("threshold") | {"range": _RANGE} | layout.get("xaxis", {}),
            "xaxis2": _share_axis(points),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 70, "r": 20, "t": 50, "b": 44},
            "showlegend": False,
            "hovermode": "x unified",
        },
    }


def key(traces: list[Trace], marks: list[Mark]) -> list[Key]:
    """Return what each line of a figure is, in its dash."""
    lines = [
        Key(trace["name"], trace["line"]["color"], _DASHES[trace["line"]["dash"]])
        for trace in traces
        if "dash" in trace.get("line", {})
    ]
    uprights = [Key(_marked(mark), GREY, _DASHES[mark.dash]) for mark in marks]
    return [*lines, *uprights]


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
    line = {"color": GREY, "dash": mark.dash, "width": 1.5}
    ends = {"x0": mark.threshold, "x1": mark.threshold, "y0": 0, "y1": 1, "yref": "paper"}
    return {"type": "line", "line": line, **ends}


def _name(mark: Mark, place: int) -> dict[str, Any]:
    """Name a threshold; names stand one below the other, so that none hides another."""
    side = "left" if mark.threshold < 0.6 else "right"
    beside = {"yref": "paper", "xshift": 4 if side == "left" else -4}
    return _text(mark.threshold, 1 - 0.07 * place, _marked(mark), side, "top", **beside)


def _marked(mark: Mark) -> str:
    return f"{mark.name} {mark.threshold:.2f}"
