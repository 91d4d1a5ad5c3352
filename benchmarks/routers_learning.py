"""How many labels are enough? APGR of the default router by number of labels, held out.

For each number, labels are drawn again for every fold; every query is scored by a router that saw
neither it nor its fold. Large sets are measured on some of their queries. Writes a picture.
Run: .venv/bin/python -m benchmarks.routers_learning [--sets ...] [--folder ...] [--picture ...]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks import routers_data

SIZES = (50, 100, 200, 500, 1000, 2000, 4000)
#: Draws of so many labels, and of more.
DRAWS, DRAWS_OF_MANY, MANY = 4, 2, 500
MEASURED = 1700
KIND = "two-heads"
PICTURE = routers_data.ROOT / "docs" / "benchmarks" / "learning.svg"


def curve(data, show) -> list[tuple[int, float, float, float]]:
    """Return labels, mean APGR, and the lowest and highest of the draws."""
    folds, rng = data.folds(), np.random.default_rng(routers_data.SEED)
    rows = np.sort(rng.permutation(len(data.queries))[:MEASURED])
    most = int((folds != 0).sum())
    found = []
    for size in (*(size for size in SIZES if size < 0.9 * most), most):
        draws = 1 if size == most else DRAWS_OF_MANY if size > MANY else DRAWS
        apgr = [area(data, rows, scored(data, folds, rows, size, rng)) for _ in range(draws)]
        found.append((size, float(np.mean(apgr)), min(apgr), max(apgr)))
        show(data.name, *found[-1])
    return found


def scored(data, folds, rows, size: int, rng) -> np.ndarray:
    scores = np.empty(rows.size)
    for fold in np.unique(folds):
        others = np.flatnonzero(folds != fold)
        router = routers_data.router_of(KIND, data.part(rng.permutation(others)[:size]))
        for place in np.flatnonzero(folds[rows] == fold):
            scores[place] = router.score(data.queries[rows[place]]).value
    return scores


def area(data, rows, scores) -> float:
    from reviews.stats import tradeoff

    rng = np.random.default_rng(routers_data.SEED)
    pairs = (data.cheap[rows], data.expensive[rows], np.ones(rows.size))
    return tradeoff.measured(scores, *pairs, rng, resamples=2).apgr.value


COLOURS = ("#3b82f6", "#d97706", "#16a34a", "#dc2626", "#9333ea")
#: Of the drawing, and the range of the axis.
WIDTH, HEIGHT, LEFT, TOP = 640, 360, 52, 16
LOW, HIGH = 0.44, 0.74


def picture(curves: dict[str, list]) -> str:
    """Return an SVG without background: grey letters can be read on light and dark."""
    right, bottom = WIDTH - 130, HEIGHT - 44

    def x(n: float) -> float:
        return LEFT + (np.log(n) - np.log(45)) / (np.log(8000) - np.log(45)) * (right - LEFT)

    def y(value: float) -> float:
        return bottom - (value - LOW) / (HIGH - LOW) * (bottom - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="sans-serif" font-size="12" fill="#808080">',
        "<title>APGR by number of labels, per data set</title>",
    ]
    for value in np.arange(0.45, 0.74, 0.05):
        dash = "" if abs(value - 0.5) < 1e-9 else ' stroke-dasharray="2 4"'
        parts.append(
            f'<path d="M{LEFT} {y(value):.1f}H{right}" stroke="#808080" stroke-width=".7"{dash}/>'
            f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        )
    parts += [
        f'<text x="{x(n):.1f}" y="{bottom + 16}" text-anchor="middle">{n:,}</text>'
        for n in (50, 100, 200, 500, 1000, 2000, 4000)
    ]
    parts.append(
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">labels (log scale);'
        " APGR, .5 is a coin; bars: lowest and highest draw</text>"
    )
    ends = sorted((points[-1][1], name) for name, points in curves.items())
    labels, last = {}, 1e9
    for value, name in ends:
        last = min(y(value) + 4, last - 14)
        labels[name] = last
    for colour, (name, points) in zip(COLOURS, curves.items(), strict=False):
        line = "L".join(f"{x(n):.1f} {y(mean):.1f}" for n, mean, _, _ in points)
        bars = "".join(f"M{x(n):.1f} {y(low):.1f}V{y(high):.1f}" for n, _, low, high in points)
        parts.append(
            f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<path d="{bars}" stroke="{colour}" stroke-width="1"/>'
            f'<text x="{x(points[-1][0]) + 8:.1f}" y="{labels[name]:.1f}" fill="{colour}">'
            f"{name}</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [name for name in routers_data.FILES if name != "MT-Bench"]
    parser.add_argument("--sets", default=",".join(names))
    parser.add_argument("--folder", type=Path, default=routers_data.FOLDER)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--figures", type=Path, help="a JSON file to add to, and to draw from")
    said = parser.parse_args()
    routers_data.set_up()
    if not said.folder.exists():
        print("no recorded answers here: nothing to learn from")
        return

    def show(name, size, mean, low, high) -> None:
        print(f"{name:18} {size:5} {mean:.3f} ({low:.3f} to {high:.3f})", flush=True)

    known = said.figures and said.figures.exists() and json.loads(said.figures.read_text())
    curves = dict(known or {})
    for name in filter(None, said.sets.split(",")):
        curves[name] = curve(routers_data.read(name, said.folder), show)
        if said.figures:
            said.figures.write_text(json.dumps(curves))
    said.picture.parent.mkdir(parents=True, exist_ok=True)
    said.picture.write_text(picture({n: curves[n] for n in names if n in curves}), encoding="utf-8")


if __name__ == "__main__":
    main()
