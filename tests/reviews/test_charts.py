"""Figures: lines that differ without colour, names on thresholds, and nothing where nothing is."""

import json

import pytest

from reviews import charts
from reviews.charts import Mark, Rug

NAMES = (
    "threshold", "cheap_share", "adequacy", "adequacy_low", "adequacy_high", "degradation",
    "band_low", "band_high", "random", "oracle", "cost_usd", "baseline_cost_usd",
    "judge_degradation", "judge_low", "judge_high",
)  # fmt: skip
RUG = Rug([0.9], [0.1, 0.2])


def points(n=102, **fixed):
    return [dict.fromkeys(NAMES, i / 100) | fixed for i in range(n)]


def draw(rows, marks=(), rug=RUG):
    return charts.figures(rows, 0.05, list(marks), rug, "made worse")


def words(figure):
    return [note["text"] for note in figure["layout"]["annotations"]]


@pytest.mark.parametrize("name", ["degradation", "shares", "cost"])
def test_no_two_lines_of_a_figure_have_one_dash(name):
    lines = [trace for trace in draw(points())[name]["data"] if "dash" in trace.get("line", {})]
    dashes = [trace["line"]["dash"] for trace in lines]
    assert len(dashes) == len(set(dashes)) > 1


def keys(figure):
    return [line.name for line in figure["key"]]


def test_thresholds_are_named_under_every_figure_and_in_the_large_one():
    marks = [Mark("live", 0.0, "dash"), Mark("certified", 0.62, "solid")]
    figures = draw(points(), marks)
    for figure in figures.values():
        assert keys(figure)[-2:] == ["live 0.00", "certified 0.62"]
        uprights = [s for s in figure["layout"]["shapes"] if s.get("yref") == "paper"]
        assert [shape["x0"] for shape in uprights] == [0.0, 0.62]
    assert {"live 0.00", "certified 0.62"} <= set(words(figures["degradation"]))


@pytest.mark.parametrize("name", ["degradation", "shares", "cost"])
def test_every_line_is_in_the_list_under_its_figure_with_a_dash_of_its_own(name):
    figure = draw(points())[name]
    lines = [trace["name"] for trace in figure["data"] if "dash" in trace.get("line", {})]
    assert keys(figure) == lines
    assert len({line.dashes for line in figure["key"]}) == len(lines)


def test_lines_are_named_where_they_are_apart():
    rows = [
        dict.fromkeys(NAMES, 0.0)
        | {"threshold": i / 100, "degradation": 0.2, "random": 0.3 if i == 40 else 0.2}
        for i in range(102)
    ]
    notes = {note["text"]: note for note in draw(rows)["degradation"]["layout"]["annotations"]}
    assert (notes["at random"]["x"], notes["at random"]["yanchor"]) == (0.4, "bottom")
    assert notes["perfect router"]["y"] == 0.0
    alone = draw([row | {"random": None, "oracle": None} for row in rows])["degradation"]
    assert "made worse" in words(alone)
    assert "at random" not in words(alone)


def test_the_floor_and_what_is_called_a_loss_stand_in_words():
    figure = draw(points())["degradation"]
    assert {"floor 5 %", "made worse", "at random", "perfect router"} <= set(words(figure))


def test_everything_cheap_is_drawn_where_it_was_studied():
    assert "everything cheap" in words(draw(points())["degradation"])
    assert "everything cheap" not in words(draw(points(51))["degradation"])
    assert "everything cheap" not in words(draw(points(degradation=None))["degradation"])


def test_the_judge_is_drawn_if_there_is_one():
    traces = draw(points())["degradation"]["data"]
    without = draw(points(judge_degradation=None))["degradation"]["data"]
    assert len(traces) - len(without) == 3
    assert "with the judge" not in [trace.get("name") for trace in without]


def test_rated_pairs_stand_in_two_rows():
    rows = [t for t in draw(points())["degradation"]["data"] if t.get("mode") == "markers"]
    assert [(row["x"], set(row["y"])) for row in rows] == [([0.9], {1}), ([0.1, 0.2], {0})]


def test_shares_stand_on_top():
    axis = draw(points())["degradation"]["layout"]["xaxis2"]
    assert axis["ticktext"][:2] == ["0 %", "20 %"]
    assert draw(points(cheap_share=None))["cost"]["layout"]["xaxis2"]["tickvals"] == []


def test_no_point_is_no_error_and_figures_are_json():
    assert json.dumps(draw([], rug=Rug([], [])))
