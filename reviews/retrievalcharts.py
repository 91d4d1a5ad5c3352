"""The figure of a retrieval evaluation as plotly JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reviews.charts import GREY, PURPLE, RED, TEAL, Trace, axis

_LOOKS = {
    "bm25": (GREY, "square"), "dense": (PURPLE, "diamond"), "hybrid": (RED, "triangle-up"),
    "auto": (TEAL, "circle"),
}  # fmt: skip
_ROW_PX = 46


def by_kind(
    parts: Sequence[tuple[str, Mapping[str, Any]]], names: Mapping[str, str]
) -> dict[str, Any]:
    """Draw nDCG of every strategy, a line for each kind of query.

    Args:
        parts: a kind's name and its figures as `evaluating.evaluate` documents them.
        names: of the strategies, for people.
    """
    rows = [f"{title} ({part['n']})" for title, part in parts]
    traces: list[Trace] = [
        {
            "type": "scatter", "mode": "markers", "name": names[name], "y": rows,
            "x": [part["values"][name]["ndcg"] for _, part in parts],
            "marker": {"color": colour, "symbol": symbol, "size": 11},
        }
        for name, (colour, symbol) in _LOOKS.items()
    ]  # fmt: skip
    return {
        "data": traces,
        "layout": {
            "xaxis": axis("nDCG"),
            "yaxis": axis("") | {"autorange": "reversed", "automargin": True, "fixedrange": True},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "height": 110 + _ROW_PX * len(rows),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 8, "r": 16, "t": 12, "b": 44},
            "hovermode": "closest",
        },
    }
