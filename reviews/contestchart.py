"""The figure of two routers over cost, as plotly JSON."""

from __future__ import annotations

from typing import Any

from reviews.charts import GREY, PURPLE, TEAL, Trace, axis, key
from reviews.contests import Contest, Level

#: A cost per request has too many zeros to be read.
PER = 1000


def figures(found: Contest, mine: str, live: str) -> dict[str, dict[str, Any]]:
    """Return what both make worse over cost, and the difference with its band.

    Args:
        found: two routers compared.
        mine: the challenger's name.
        live: the live router's.
    """
    known = [one for one in found.levels if one.gap.one == one.gap.one]
    if len(known) < 2:
        return {}
    worse = [
        _line(live, known, [one.gap.other for one in known], GREY, "dash"),
        _line(mine, known, [one.gap.one for one in known], TEAL, "solid"),
    ]
    return {
        "worse": _figure(worse, "made worse"),
        "gain": _figure(_gain(known), "fewer made worse"),
    }


def _gain(known: list[Level]) -> list[Trace]:
    hidden = {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    low, high = ([one.gap.interval[end] for one in known] for end in (0, 1))
    band = [_line("", known, values, PURPLE, "solid") | hidden for values in (low, high)]
    band[1] |= {"fill": "tonexty", "fillcolor": f"{PURPLE}33"}
    gain = [one.gap.gain for one in known]
    return [*band, _line("no difference", known, [0.0] * len(known), GREY, "dot"),
            _line("challenger makes fewer worse by", known, gain, PURPLE, "solid")]  # fmt: skip


def _line(name: str, known: list[Level], y: list[float], colour: str, dash: str) -> Trace:
    line = {"color": colour, "width": 2.5 if dash == "solid" else 1.5, "dash": dash}
    x = [PER * one.cost_usd for one in known]
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line}


def _figure(traces: list[Trace], y: str) -> dict[str, Any]:
    return {
        "data": traces,
        "key": key(traces, []),
        "layout": {
            "xaxis": axis("USD per 1,000 requests"),
            "yaxis": axis(y) | {"tickformat": ".1%"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 60, "r": 16, "t": 12, "b": 44},
            "showlegend": False,
            "hovermode": "closest",
        },
    }
