"""Charts for paper: well-formed, labelled, with gaps where nothing is known."""

from xml.etree import ElementTree

from reviews.vectors import Chart, Line, Mark, svg

SVG = "{http://www.w3.org/2000/svg}"
X = [0.0, 0.5, 1.0]


def drawn(*lines, **more):
    return ElementTree.fromstring(svg(Chart("What is made worse", X, lines, **more)))


def words(root):
    return [text.text for text in root.iter(f"{SVG}text")]


def test_a_chart_says_what_it_shows():
    root = drawn(Line("a", [0, 0.5, 1]))
    assert root.find(f"{SVG}title").text == root.get("aria-label") == "What is made worse"


def test_lines_and_marks_are_named():
    root = drawn(
        Line("made worse", [0, 0.5, 1]),
        levels=[Mark(0.05, "floor 5 %")],
        places=[Mark(0.5, "live")],
    )
    assert {"made worse", "floor 5 %", "live"} <= set(words(root))


def test_a_gap_lifts_the_pen():
    (path,) = drawn(Line("a", [0.1, None, 0.3])).iter(f"{SVG}path")
    assert path.get("d").count("M") == 2


def test_a_line_of_which_nothing_is_known_has_no_label():
    assert "a" not in words(drawn(Line("a", [None] * 3)))


def test_labels_that_would_touch_move_apart():
    root = drawn(*(Line(name, [0.2, 0.2, 0.2]) for name in ("a", "b", "c")))
    at = sorted(float(text.get("y")) for text in root.iter(f"{SVG}text") if text.text in "abc")
    assert all(later - before >= 13 for before, later in zip(at, at[1:], strict=False))


def test_what_is_above_the_top_stays_inside():
    (path,) = drawn(Line("a", [0, 0.5, 1]), top=0.1).iter(f"{SVG}path")
    heights = [float(step.split()[1]) for step in path.get("d").replace("M", "L").split("L")[1:]]
    assert min(heights) == 26.0


def test_nothing_is_styled_by_attribute():
    assert "style=" not in svg(Chart("t", X, [Line("a", X, X, X)]))
