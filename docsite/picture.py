"""Draw why naive thresholds fail: many studies of the same traffic, and what each would switch.

The traffic is made up, so that the truth is known; the choices are made by the product's own code.
Run: .venv/bin/python -m docsite.picture
"""

from __future__ import annotations

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

_WIDTH, _HEIGHT, _EDGE = 760, 380, 56
_MOST_HARM = 0.12
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
    """Return the picture."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        *_axes(),
    ]
    jitter = np.random.default_rng(3)
    for way, colour in _COLOURS.items():
        for one in getattr(played, way):
            x, y = _place(one.share + jitter.normal(0, 0.004), one.harm)
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" fill-opacity=".15"/>'
            )
    for row, way in enumerate(_COLOURS):
        y = _EDGE - 20 + 20 * row
        words = f"{_SAYS[way]}: {played.broken(way):.0%} of {len(played.naive)} break the floor"
        parts += [
            f'<circle cx="{_EDGE + 16}" cy="{y - 4}" r="5" fill="{_COLOURS[way]}"/>',
            f'<text x="{_EDGE + 28}" y="{y}" fill="#222">{words}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes() -> list[str]:
    left, floor = _place(0, FLOOR)
    right, bottom = _place(1, 0)
    lines = [
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}" stroke="#888"/>',
        f'<line x1="{left}" y1="{floor}" x2="{right}" y2="{floor}" stroke="#b00"'
        ' stroke-dasharray="6 4"/>',
        f'<text x="{right}" y="{floor - 6}" text-anchor="end" fill="#b00">'
        f"the promise: at most {FLOOR:.0%} worse</text>",
        f'<text x="{(left + right) / 2}" y="{_HEIGHT - 12}" text-anchor="middle" fill="#222">'
        "requests that go to the cheap model</text>",
        f'<text transform="translate(16 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle"'
        ' fill="#222">truly worse answers</text>',
    ]
    for value in (0, 0.25, 0.5, 0.75, 1):
        x, _ = _place(value, 0)
        lines.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{value:.0%}</text>')
    for value in (0, 0.04, 0.08, 0.12):
        _, y = _place(0, value)
        lines.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{value:.0%}</text>')
    return lines


def _place(share: float, harm: float) -> tuple[float, float]:
    inner = _HEIGHT - 2 * _EDGE
    x = _EDGE + share * (_WIDTH - 2 * _EDGE)
    return x, _HEIGHT - _EDGE - harm / _MOST_HARM * inner


def main() -> None:
    """Write the picture, and print what it shows."""
    played = play()
    (DOCS / "images" / "naive.svg").write_text(svg(played))
    for way in _COLOURS:
        mean = np.mean([one.share for one in getattr(played, way)])
        print(f"{way}: floor broken in {played.broken(way):.1%}, cheap share {mean:.1%}")


if __name__ == "__main__":
    main()
