"""Draw why naive thresholds fail: many studies of the same traffic, and what each would switch.

The traffic is made up, so that the truth is known; the choices are made by the product's own code.
Run: .venv/bin/python -m docsite.picture
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docsite.paths import DOCS
from reviews.stats import selection
from reviews.stats.rows import Rows

FLOOR = DELTA = 0.05
STUDIES = 1_000
N_REQUESTS = 6_000
RATE = 0.1
GRID = np.append(np.arange(1, 51) / 50, 1.01)

_WIDTH, _HEIGHT, _EDGE, _PANEL = 760, 460, 44, 178
_MOST_HARM = 0.08
_COLOURS = {"naive": "#d55e00", "certified": "#0072b2"}
_SAYS = {"naive": "by the estimate alone", "certified": "certified"}


@dataclass(frozen=True)
class Choice:
    """What one study would switch: its true share of cheap requests, and of worse answers."""

    share: float
    harm: float


@dataclass(frozen=True)
class Played:
    """The choices of all studies, by both ways to choose."""

    naive: list[Choice]
    certified: list[Choice]

    def broken(self, way: str) -> float:
        """Return the share of studies whose choice breaks the floor."""
        return float(np.mean([one.harm > FLOOR for one in getattr(self, way)]))


def play(studies: int = STUDIES) -> Played:
    """Run the studies, each of the same requests, with other people's luck."""
    rng = np.random.default_rng(11)
    score: NDArray[Any] = rng.random(N_REQUESTS)
    loss: NDArray[Any] = (rng.random(N_REQUESTS) < 0.2 * score**2) * 1.0
    truth = [_truth(score, loss, threshold) for threshold in (0.0, *GRID)]
    chosen = np.array([_choose(score, loss, seed) for seed in range(studies)])
    return Played(*([truth[place] for place in column] for column in chosen.T))


def _truth(score: NDArray[Any], loss: NDArray[Any], threshold: float) -> Choice:
    cheap = score < threshold
    return Choice(float(cheap.mean()), float((loss * cheap).mean()))


def _choose(score: NDArray[Any], loss: NDArray[Any], seed: int) -> tuple[int, int]:
    """Return the places in the grid, plus one, of the naive and the certified threshold."""
    rated = np.random.default_rng(seed).random(score.size) < RATE
    rows = Rows(score, np.full(score.size, RATE), rated, np.where(rated, loss, np.nan))
    found = selection.certify(rows, GRID, floor=FLOOR, delta=DELTA, n_plan=score.size, order="hash")
    seems = np.array([loss[rated & (score < t)].sum() / rated.sum() for t in GRID])
    naive = int(np.flatnonzero(seems <= FLOOR)[-1]) + 1
    return naive, 0 if found.threshold is None else int(np.searchsorted(GRID, found.threshold)) + 1


def svg(played: Played) -> str:
    """Return the picture: how many studies end at which truth, one panel for each way."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="13" fill="#222">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for panel, way in enumerate(_COLOURS):
        bottom = _EDGE + (panel + 1) * _PANEL
        parts += [*_axis(bottom), *_bars(getattr(played, way), bottom, _COLOURS[way])]
        words = f"{_SAYS[way]}: {played.broken(way):.0%} of {len(played.naive):,} break the promise"
        parts.append(
            f'<text x="{_EDGE}" y="{bottom - _PANEL + 34}" font-weight="bold">{words}</text>'
        )
    x = _x(FLOOR)
    parts += [
        f'<line x1="{x}" y1="{_EDGE - 12}" x2="{x}" y2="{_EDGE + 2 * _PANEL}" stroke="#b00"'
        ' stroke-dasharray="6 4"/>',
        f'<text x="{x}" y="{_EDGE - 18}" text-anchor="middle" fill="#b00">'
        f"the promise: at most {FLOOR:.0%} worse</text>",
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 10}" text-anchor="middle">'
        "share of requests that truly get a worse answer</text>",
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bars(choices: list[Choice], bottom: float, colour: str) -> list[str]:
    counted = Counter(one.harm for one in choices)
    most = max(counted.values())
    heights = {harm: n / most * (_PANEL - 60) for harm, n in counted.items()}
    return [
        f'<rect class="bar" x="{_x(harm) - 7:.1f}" y="{bottom - height:.1f}" width="14"'
        f' height="{height:.1f}" fill="{colour}" fill-opacity="{1 if harm > FLOOR else 0.45}"/>'
        for harm, height in heights.items()
    ]


def _axis(bottom: float) -> list[str]:
    line = f'<line x1="{_x(0)}" y1="{bottom}" x2="{_x(_MOST_HARM)}" y2="{bottom}" stroke="#888"/>'
    marks = [
        f'<text x="{_x(value)}" y="{bottom + 18}" text-anchor="middle">{value:.0%}</text>'
        for value in (0, 0.02, 0.04, 0.06, 0.08)
    ]
    return [line, *marks]


def _x(harm: float) -> float:
    return _EDGE + harm / _MOST_HARM * (_WIDTH - 2 * _EDGE)


def main() -> None:
    """Write the picture, and print what it shows."""
    played = play()
    (DOCS / "images" / "naive.svg").write_text(svg(played))
    for way in _COLOURS:
        mean = np.mean([one.share for one in getattr(played, way)])
        print(f"{way}: floor broken in {played.broken(way):.1%}, cheap share {mean:.1%}")


if __name__ == "__main__":
    main()
