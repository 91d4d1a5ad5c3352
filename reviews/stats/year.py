"""A simulated year of traffic after go-live, stationary or with one drift planted in it.

Traffic has a weekday rhythm in volume and in task mix, days that differ by more than chance, heavy
tails of cost, and everything a monitor reads. What the monitors make of it stands in `trial`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reviews.stats.rows import FloatArray, IntArray

#: The study's window and what comes after it; drifts begin after the 60th day, on any weekday.
REFERENCE_DAYS, YEAR_DAYS, DRIFT_DAY = 14, 365, 60
TASKS = ("chat", "code", "extract", "math")
THRESHOLD, FLOOR = 0.5, 0.05
KNOWN_MODEL, OTHER_MODEL = "cheap-2026-06", "cheap-2026-09"
_WEEK = np.array([1.1, 1.15, 1.1, 1.1, 1.0, 0.55, 0.5])
_MIX = np.array([0.40, 0.25, 0.20, 0.15])
_WEEKEND_MIX = np.array([0.48, 0.18, 0.20, 0.14])
#: Scores of a task are beta; its vectors lie around a point of their own.
_EASE = np.array([[2.0, 3.0], [2.5, 2.5], [2.0, 4.0], [3.0, 2.0]])
_WIDTH = 8
_VECTORS = 60
_CHEAP_USD, _EXPENSIVE_USD = 0.002, 0.02
#: Share of cheap-routed requests that a judge saw in the study, where every request is a pair.
_JUDGED_IN_STUDY = 0.15


@dataclass(frozen=True)
class World:
    """What traffic is like on one day; a drift changes a field from some day on.

    Attributes:
        requests: of a mean day.
        easier: part of the requests above the threshold that get a score below it.
        to_math: part of the other tasks that is math instead.
        price: of the expensive tier, times today's.
        length: of cheap answers, times today's; costs follow.
        judge_loss: share of judged pairs where the cheap answer lost.
        harm: share of all cheap-routed requests made worse.
        escalated: share of cheap-routed requests that end at the expensive tier.
        judged: share of cheap-routed requests that a judge sees after go-live.
        living: share of all requests that people rate.
        model: what comes back as the cheap tier's model.
    """

    requests: float = 600
    easier: float = 0.0
    to_math: float = 0.0
    price: float = 1.0
    length: float = 1.0
    judge_loss: float = 0.08
    harm: float = 0.05
    escalated: float = 0.06
    judged: float = 0.05
    living: float = 0.01
    model: str = KNOWN_MODEL


#: As the service is shipped: the pairs that a judge saw in two weeks, spread over ninety days of
#: a signature, are about .15. Of the study it sees as much here, though it may have seen all.
USUAL = World()


class Day(NamedTuple):
    """What monitors read of one day; arrays are (n,) unless said otherwise.

    Attributes:
        score: of the router.
        task: index into TASKS.
        vectors: (60, 8) of some requests.
        cost: USD of all.
        judged, lost: pairs a judge saw, and those that the cheap answer lost.
        escalated: cheap-routed requests that went on to the expensive tier.
        rated: which requests people rated; harm is what they said.
        model: requests by the cheap tier's model.
    """

    score: FloatArray
    task: IntArray
    vectors: FloatArray
    cost: float
    judged: int
    lost: int
    escalated: int
    rated: NDArray[np.bool_]
    harm: FloatArray
    model: str


Drift = Callable[[World, int], World]


def _share(world: World, _since: int) -> World:
    return replace(world, easier=0.25)


def _model(world: World, _since: int) -> World:
    return replace(world, judge_loss=0.2, harm=0.2, length=1.15)


def _renamed(world: World, since: int) -> World:
    return replace(_model(world, since), model=OTHER_MODEL)


def _mix(world: World, _since: int) -> World:
    return replace(world, to_math=0.15)


def _price(world: World, _since: int) -> World:
    return replace(world, price=1.25)


def _creep(world: World, since: int) -> World:
    return replace(world, easier=min(0.0025 * since, 0.5))


#: What is planted: name, what it is in a sentence, and the drift.
DRIFTS: dict[str, tuple[str, Drift]] = {
    "share": ("10 points more of the requests score below the threshold", _share),
    "model": ("The cheap model is another one under the same name, and loses more", _model),
    "renamed": ("The same, and the provider names the new model", _renamed),
    "mix": ("15 % of the other tasks become math", _mix),
    "price": ("The expensive tier costs 25 % more", _price),
    "creep": ("The cheap share grows by a tenth of a point a day", _creep),
}


@dataclass(frozen=True)
class Plot:
    """Say what a year is made of.

    Attributes:
        seed: of everything; a drift changes no random number before it begins.
        drift: what is planted; None for a stationary year.
        usual: what traffic is like without it.
        first: the day after go-live on which it begins; `begins(seed)` when None.
    """

    seed: int
    drift: Drift | None = None
    usual: World = USUAL
    first: int | None = None

    @property
    def begin(self) -> int:
        """Return the day after go-live on which the drift begins."""
        return begins(self.seed) if self.first is None else self.first

    def world(self, at: int) -> World:
        """Return what the day is like that comes so many days after go-live, below 0 before it."""
        if at < 0:
            return replace(self.usual, judged=_JUDGED_IN_STUDY)
        if self.drift is None or at < self.begin:
            return self.usual
        return self.drift(self.usual, at - self.begin + 1)


def days(plot: Plot, n: int) -> list[Day]:
    """Play the study's window and n days after go-live: 14 + n days."""
    rng = np.random.default_rng(plot.seed)
    centres = np.random.default_rng(7).normal(size=(len(TASKS), _WIDTH))
    return [
        _day(plot.world(at), (at + plot.seed) % 7, centres, rng) for at in range(-REFERENCE_DAYS, n)
    ]


def begins(seed: int) -> int:
    """Return the day after go-live on which a drift begins."""
    return DRIFT_DAY + seed % 7


def _day(world: World, weekday: int, centres: FloatArray, rng: np.random.Generator) -> Day:
    n = max(int(rng.poisson(world.requests * _WEEK[weekday] * np.exp(rng.normal(0, 0.08)))), 1)
    task = _tasks(world, weekday, n, rng)
    score = _scores(world, task, rng)
    cheap = score < THRESHOLD
    n_cheap = int(cheap.sum())
    rated = rng.random(n) < world.living
    harm = (rng.random(n) < world.harm) & cheap
    judged = int(rng.binomial(n_cheap, world.judged))
    some = rng.choice(n, min(n, _VECTORS), replace=False)
    return Day(
        score=score,
        task=task,
        vectors=centres[task[some]] + rng.normal(size=(some.size, _WIDTH)),
        cost=float(_costs(world, cheap, rng).sum()),
        judged=judged,
        lost=int(rng.binomial(judged, world.judge_loss)),
        escalated=int(rng.binomial(n_cheap, world.escalated * np.exp(rng.normal(0, 0.1)))),
        rated=rated,
        harm=harm.astype(np.float64),
        model=world.model,
    )


def _tasks(world: World, weekday: int, n: int, rng: np.random.Generator) -> IntArray:
    usual = _MIX if weekday < 5 else _WEEKEND_MIX
    mix = rng.dirichlet(usual * 400)
    task = rng.choice(len(TASKS), n, p=mix)
    task[rng.random(n) < world.to_math] = TASKS.index("math")
    return np.asarray(task, dtype=np.int64)


def _scores(world: World, task: IntArray, rng: np.random.Generator) -> FloatArray:
    a, b = _EASE[task].T
    score = rng.beta(a, b)
    eased = (rng.random(task.size) < world.easier) & (score >= THRESHOLD)
    return np.where(eased, score - THRESHOLD, score)


def _costs(world: World, cheap: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    spread = np.exp(rng.normal(0, 1.0, cheap.size) + rng.normal(0, 0.03))
    usd = np.where(cheap, _CHEAP_USD * world.length, _EXPENSIVE_USD * world.price)
    return np.asarray(usd * spread)
